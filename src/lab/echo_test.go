package lab

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"testing"
)

// sum16 is the Internet checksum ([RFC 1071]) over b; over a message with a right checksum it is zero.
func sum16(b []byte) uint16 {
	var sum uint32
	for i := 0; i < len(b); i += 2 {
		sum += uint32(b[i]) << 8
		if i+1 < len(b) {
			sum += uint32(b[i+1])
		}
	}
	for sum > 0xffff {
		sum = sum&0xffff + sum>>16
	}
	return ^uint16(sum)
}

func ping4(src, dst string, seq uint16) []byte {
	pkt := append(ipv4Packet(src, dst)[:20], 8, 0, 0, 0, 0, 1, 0, 0, 'p', 'i', 'n', 'g')
	pkt[9] = protoICMP
	binary.BigEndian.PutUint16(pkt[2:], uint16(len(pkt)))
	binary.BigEndian.PutUint16(pkt[10:], sum16(pkt[:20]))
	binary.BigEndian.PutUint16(pkt[26:], seq)
	binary.BigEndian.PutUint16(pkt[22:], sum16(pkt[20:]))
	return pkt
}

func ping6(src, dst string, seq uint16) []byte {
	pkt := append(ipv6Packet(src, dst)[:40], 128, 0, 0, 0, 0, 1, 0, 0, 'p', 'i', 'n', 'g')
	pkt[6], pkt[7] = protoICMPv6, 64
	binary.BigEndian.PutUint16(pkt[4:], uint16(len(pkt)-40))
	binary.BigEndian.PutUint16(pkt[46:], seq)
	binary.BigEndian.PutUint16(pkt[42:], checksum6(pkt))
	return pkt
}

func TestAnEchoRequestBecomesItsReply(t *testing.T) {
	for seq := range uint16(3) {
		pkt := ping4("10.0.0.2", "10.0.0.1", seq<<14)
		want := ping4("10.0.0.1", "10.0.0.2", seq<<14)
		if !bounce(pkt) {
			t.Fatal("a ping was not answered")
		}
		if !bytes.Equal(pkt[12:20], want[12:20]) || pkt[20] != 0 || sum16(pkt[20:]) != 0 || sum16(pkt[:20]) != 0 {
			t.Errorf("reply is %x", pkt)
		}
		pkt = ping6("fe80::2", "fe80::1", seq<<14)
		if !bounce(pkt) {
			t.Fatal("a ping over IPv6 was not answered")
		}
		have := binary.BigEndian.Uint16(pkt[42:])
		copy(pkt[42:], []byte{0, 0})
		if pkt[40] != 129 || have != checksum6(pkt) || netip.AddrFrom16([16]byte(pkt[24:40])) != netip.MustParseAddr("fe80::2") {
			t.Errorf("reply is %x, checksum %x", pkt, have)
		}
	}
}

func TestAUDPDatagramToPort7ComesBack(t *testing.T) {
	pkt := append(ipv4Packet("10.0.0.2", "10.0.0.1")[:20], 0x9c, 0x40, 0, 7, 0, 12, 0, 0, 'd', 'a', 't', 'a')
	pkt[9] = protoUDP
	if !bounce(pkt) || !bytes.Equal(pkt[20:24], []byte{0, 7, 0x9c, 0x40}) || pkt[15] != 1 {
		t.Errorf("answer is %x", pkt)
	}
}

func FuzzBounce(f *testing.F) {
	f.Add(ping4("10.0.0.2", "10.0.0.1", 1))
	f.Add(ping6("fe80::2", "fe80::1", 1))
	f.Add([]byte{0x4f})
	f.Fuzz(func(t *testing.T, pkt []byte) {
		before := bytes.Clone(pkt)
		if !bounce(pkt) {
			if !bytes.Equal(pkt, before) {
				t.Fatal("a packet that is not answered was changed")
			}
			return
		}
		if len(pkt) != len(before) {
			t.Fatal("the answer has another length")
		}
		if src, dst := sides(before); !bytes.Equal(append(dst, src...), joined(pkt)) {
			t.Fatal("source and destination did not change places")
		}
	})
}

func sides(pkt []byte) (src, dst []byte) {
	if pkt[0]>>4 == 4 {
		return bytes.Clone(pkt[12:16]), bytes.Clone(pkt[16:20])
	}
	return bytes.Clone(pkt[8:24]), bytes.Clone(pkt[24:40])
}

func joined(pkt []byte) []byte {
	src, dst := sides(pkt)
	return append(src, dst...)
}

func TestARouterAdvertisementIsWhole(t *testing.T) {
	own, all := netip.MustParsePrefix("fd00:0:0:2::/64"), netip.MustParsePrefix("fd00::/48")
	pkt := appendAdvertisement(nil, own, all, 1400, []netip.Addr{netip.MustParseAddr("fd00::53")})
	have := binary.BigEndian.Uint16(pkt[42:])
	copy(pkt[42:], []byte{0, 0})
	if have != checksum6(pkt) || int(binary.BigEndian.Uint16(pkt[4:])) != len(pkt)-40 {
		t.Errorf("length or checksum is wrong: %x", pkt)
	}
	types := map[byte]int{}
	for b := pkt[40+16:]; len(b) > 0; b = b[int(b[1])*8:] {
		types[b[0]]++
	}
	if types[3] != 2 || types[5] != 1 || types[25] != 1 {
		t.Errorf("options by type: %v", types)
	}
}
