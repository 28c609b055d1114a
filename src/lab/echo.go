package lab

import "encoding/binary"

// The protocol numbers of IANA that this package looks at.
const (
	protoICMP   = 1
	protoUDP    = 17
	protoICMPv6 = 58
)

// bounce turns an ICMP or ICMPv6 echo request ([RFC 792], [RFC 4443] 4.1) into its reply and a UDP datagram to port 7
// ([RFC 862]) into its answer, in place. False: pkt is neither and is unchanged. Source and destination change places,
// which leaves every checksum as it is; only the ICMP type needs a correction.
func bounce(pkt []byte) bool {
	var proto byte
	var body, src, dst []byte
	switch {
	case len(pkt) >= 20 && pkt[0]>>4 == 4:
		header := int(pkt[0]&15) * 4
		fragment := binary.BigEndian.Uint16(pkt[6:])&0x3fff != 0
		if header < 20 || len(pkt) < header || fragment {
			return false
		}
		proto, src, dst, body = pkt[9], pkt[12:16], pkt[16:20], pkt[header:]
	case len(pkt) >= 40 && pkt[0]>>4 == 6:
		proto, src, dst, body = pkt[6], pkt[8:24], pkt[24:40], pkt[40:]
	default:
		return false
	}
	if len(body) < 8 {
		return false
	}
	switch {
	case proto == protoICMP && pkt[0]>>4 == 4 && body[0] == 8:
		retype(body, 0)
	case proto == protoICMPv6 && pkt[0]>>4 == 6 && body[0] == 128:
		retype(body, 129)
	case proto == protoUDP && binary.BigEndian.Uint16(body[2:]) == 7:
		swap(body[0:2], body[2:4])
	default:
		return false
	}
	swap(src, dst)
	return true
}

// retype changes the type of an ICMP message and corrects its checksum ([RFC 1624] equation 3).
func retype(icmp []byte, to byte) {
	sum := uint32(^binary.BigEndian.Uint16(icmp[2:]))
	sum += uint32(^(uint16(icmp[0]) << 8)) + uint32(to)<<8
	sum = sum&0xffff + sum>>16
	sum = sum&0xffff + sum>>16
	icmp[0] = to
	binary.BigEndian.PutUint16(icmp[2:], ^uint16(sum))
}

func swap(a, b []byte) {
	for i := range a {
		a[i], b[i] = b[i], a[i]
	}
}
