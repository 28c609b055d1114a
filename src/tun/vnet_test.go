package tun

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sstp/src/offload"
)

// openVnetUp opens a device with offload, or skips the test on a kernel that has none.
func openVnetUp(t testing.TB, v4, v6 netip.Prefix) *Device {
	t.Helper()
	d, err := Open(Options{MTU: 1400, Offload: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	if !d.Offload() {
		t.Skip("this kernel has no segmentation offload for TUN devices")
	}
	configure(t, d.Name(), v4, v6)
	return d
}

// super is a TCP or UDP super-packet as a kernel makes it, from 192.0.2.7 to 198.51.100.1 or from 2001:db8::7 to
// 2001:db8:1::1.
func super(protocol byte, v6 bool, size, total int) (offload.Header, []byte) {
	transport := binary.BigEndian.AppendUint16(nil, 5000)
	transport = binary.BigEndian.AppendUint16(transport, 6000)
	h := offload.Header{Flags: offload.FlagNeedsChecksum, GSOType: offload.GSOUDP, GSOSize: uint16(size), ChecksumOffset: 6}
	if protocol == unix.IPPROTO_TCP {
		h.GSOType, h.ChecksumOffset = offload.GSOTCPv4, 16
		if v6 {
			h.GSOType = offload.GSOTCPv6
		}
		transport = append(transport, 0xff, 0xff, 0xff, 0, 1, 2, 3, 4, 0x80, 0x19, 2, 0, 0, 0, 0, 0) // FIN, PSH, ACK
		transport = append(transport, 1, 1, 8, 10, 1, 2, 3, 4, 5, 6, 7, 8)
	} else {
		transport = binary.BigEndian.AppendUint16(transport, uint16(8+total))
		transport = append(transport, 0, 0)
	}
	headers := len(transport)
	for i := range total {
		transport = append(transport, byte(i*7+i>>8))
	}
	var ip []byte
	if v6 {
		ip = append(ip, 0x60, 0, 0, 0, 0, 0, protocol, 64)
		binary.BigEndian.PutUint16(ip[4:], uint16(len(transport)))
		ip = append(ip, netip.MustParseAddr("2001:db8::7").AsSlice()...)
		ip = append(ip, netip.MustParseAddr("2001:db8:1::1").AsSlice()...)
	} else {
		ip = append(ip, 0x45, 0, 0, 0, 0xff, 0xfe, 0x40, 0, 64, protocol, 0, 0, 192, 0, 2, 7, 198, 51, 100, 1)
		binary.BigEndian.PutUint16(ip[2:], uint16(20+len(transport)))
		binary.BigEndian.PutUint16(ip[10:], ^offload.Sum(ip, 0))
	}
	addresses := ip[12:]
	if v6 {
		addresses = ip[8:]
	}
	pseudo := offload.Sum([]byte{0, protocol, byte(len(transport) >> 8), byte(len(transport))}, offload.Sum(addresses, 0))
	binary.BigEndian.PutUint16(transport[h.ChecksumOffset:], pseudo)
	h.ChecksumStart, h.HeaderLen = uint16(len(ip)), uint16(len(ip)+headers)
	return h, append(ip, transport...)
}

// forwarded is the packet after one router.
func forwarded(pkt []byte) []byte {
	p := bytes.Clone(pkt)
	if p[0]>>4 == 6 {
		p[7]--
		return p
	}
	p[8]--
	binary.BigEndian.PutUint16(p[10:], 0)
	binary.BigEndian.PutUint16(p[10:], ^offload.Sum(p[:20], 0))
	return p
}

func segments(t testing.TB, h offload.Header, pkt []byte) [][]byte {
	t.Helper()
	var s offload.Splitter
	if err := s.Start(h, pkt); err != nil {
		t.Fatal(err)
	}
	var all [][]byte
	buf := make([]byte, 1<<16)
	for !s.Empty() {
		all = append(all, bytes.Clone(buf[:s.Next(buf)]))
	}
	return all
}

// readSome reads packets until n have come or nothing more does; others, such as the kernel's own neighbour discovery,
// are left out.
func readSome(t testing.TB, d *Device, n int) (pkts [][]byte) {
	t.Helper()
	buf, ends := make([]byte, 16384), make([]int, 512)
	for len(pkts) < n {
		d.SetReadDeadline(time.Now().Add(3 * time.Second))
		got, err := d.ReadPackets(buf, 8, ends)
		if err != nil {
			t.Errorf("%d of %d packets came, then %v", len(pkts), n, err)
			return pkts
		}
		start := 0
		for _, end := range ends[:got] {
			if pkt := buf[start+8 : end]; pkt[0] == 0x45 || pkt[0]>>4 == 6 && (pkt[6] == unix.IPPROTO_TCP || pkt[6] == unix.IPPROTO_UDP) {
				pkts = append(pkts, bytes.Clone(pkt))
			}
			start = end
		}
	}
	return pkts
}

// writeRaw writes a packet with its header as it is.
func writeRaw(t testing.TB, d *Device, h offload.Header, pkt []byte) {
	t.Helper()
	b := make([]byte, offload.HeaderLen, offload.HeaderLen+len(pkt))
	h.Put(b)
	if _, err := d.file.Write(append(b, pkt...)); err != nil {
		t.Fatalf("the kernel refuses %+v: %v", h, err)
	}
}

func TestOurSegmentsAreTheKernelsOwn(t *testing.T) {
	inNamespace(t, func() {
		in := openVnetUp(t, netip.MustParsePrefix("192.0.2.1/24"), netip.MustParsePrefix("2001:db8::1/64"))
		plainOut, err := Open(Options{MTU: 1400})
		if err != nil {
			t.Fatal(err)
		}
		defer plainOut.Close()
		configure(t, plainOut.Name(), netip.MustParsePrefix("198.51.100.2/24"), netip.MustParsePrefix("2001:db8:1::2/64"))
		forwarding(t)
		takesUDP := takesUDPSegments(t)
		for _, c := range []struct {
			why      string
			protocol byte
			v6       bool
			size     int
			total    int
		}{
			{"TCP over IPv4", unix.IPPROTO_TCP, false, 1348, 10 * 1348},
			{"TCP over IPv4, odd sizes", unix.IPPROTO_TCP, false, 997, 20001},
			{"TCP over IPv4, as large as it gets", unix.IPPROTO_TCP, false, 1348, 65000},
			{"TCP over IPv6", unix.IPPROTO_TCP, true, 1328, 10 * 1328},
			{"TCP over IPv6, odd sizes", unix.IPPROTO_TCP, true, 997, 20001},
			{"UDP over IPv4", unix.IPPROTO_UDP, false, 1372, 5 * 1372},
			{"UDP over IPv4, odd sizes", unix.IPPROTO_UDP, false, 333, 10001},
			{"UDP over IPv6", unix.IPPROTO_UDP, true, 1352, 5 * 1352},
			{"UDP over IPv6, odd sizes", unix.IPPROTO_UDP, true, 333, 10001},
		} {
			h, pkt := super(c.protocol, c.v6, c.size, c.total)
			if c.protocol == unix.IPPROTO_UDP && !takesUDP {
				continue
			}
			want := segments(t, h, forwarded(pkt))
			writeRaw(t, in, h, pkt)
			got := readSome(t, plainOut, len(want))
			for i := range got {
				if !bytes.Equal(got[i], want[i]) {
					t.Errorf("%s: segment %d differs\nkernel %.80x\nours   %.80x", c.why, i, got[i], want[i])
					break
				}
			}
		}
	})
}

// takesUDPSegments reports whether the kernel takes UDP segments from a TUN device: Linux before 6.2 does not.
func takesUDPSegments(t testing.TB) bool {
	t.Helper()
	fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	_, udp, err := setUp(fd, "")
	if err != nil {
		t.Fatal(err)
	}
	return udp
}

// forwarding makes a router of the namespace.
func forwarding(t testing.TB) {
	t.Helper()
	for _, path := range []string{"ipv4/ip_forward", "ipv6/conf/all/forwarding"} {
		if err := os.WriteFile("/proc/sys/net/"+path, []byte("1"), 0); err != nil {
			t.Skipf("cannot make a router of the namespace: %v", err)
		}
	}
}

func TestForwardedSuperPacketsAreSplitAndMergedAgain(t *testing.T) {
	inNamespace(t, func() {
		in := openVnetUp(t, netip.MustParsePrefix("192.0.2.1/24"), netip.MustParsePrefix("2001:db8::1/64"))
		out := openVnetUp(t, netip.MustParsePrefix("198.51.100.2/24"), netip.MustParsePrefix("2001:db8:1::2/64"))
		forwarding(t)
		for _, protocol := range []byte{unix.IPPROTO_TCP, unix.IPPROTO_UDP} {
			for _, v6 := range []bool{false, true} {
				h, pkt := super(protocol, v6, 1300, 40000)
				want := segments(t, h, forwarded(pkt))
				if n, err := in.WritePackets(segments(t, h, pkt)); n != len(want) || err != nil {
					t.Fatalf("WritePackets = %d, %v; want %d", n, err, len(want))
				}
				got := readSome(t, out, len(want))
				for i := range got {
					if !bytes.Equal(got[i], want[i]) {
						t.Errorf("protocol %d, IPv6 %v: packet %d differs\n got %.80x\nwant %.80x", protocol, v6, i, got[i], want[i])
						break
					}
				}
			}
		}
		if n := out.Dropped(); n != 0 {
			t.Errorf("%d packets of the kernel's were dropped", n)
		}
	})
}

// pump carries packets from one device to another until the first is closed.
func pump(from, to *Device) {
	buf, ends := make([]byte, 16384), make([]int, 512)
	var pkts [][]byte
	for {
		n, err := from.ReadPackets(buf, 8, ends)
		if err != nil {
			return
		}
		pkts = pkts[:0]
		start := 0
		for _, end := range ends[:n] {
			pkts = append(pkts, buf[start+8:end])
			start = end
		}
		if _, err := to.WritePackets(pkts); err != nil {
			return
		}
	}
}

// hosts are two network namespaces with a device each, and packets carried between.
type hosts struct {
	left, right       namespace
	leftDev, rightDev *Device
}

func twoHosts(t *testing.T, offloadLeft, offloadRight bool) *hosts {
	h := &hosts{left: newNamespace(t), right: newNamespace(t)}
	open := func(n namespace, offload bool, v4, v6 string) (d *Device) {
		if err := n.do(func() (err error) {
			if d, err = Open(Options{MTU: 1400, Offload: offload}); err == nil {
				err = setUpLink(d.Name(), netip.MustParsePrefix(v4), netip.MustParsePrefix(v6))
			}
			return err
		}); err != nil {
			t.Fatal(err)
		}
		return d
	}
	h.leftDev = open(h.left, offloadLeft, "192.0.2.1/24", "2001:db8::1/64")
	h.rightDev = open(h.right, offloadRight, "192.0.2.2/24", "2001:db8::2/64")
	var done [2]chan struct{}
	for i, d := range [][2]*Device{{h.leftDev, h.rightDev}, {h.rightDev, h.leftDev}} {
		done[i] = make(chan struct{})
		go func() {
			pump(d[0], d[1])
			close(done[i])
		}()
	}
	t.Cleanup(func() {
		h.leftDev.Close()
		h.rightDev.Close()
		<-done[0]
		<-done[1]
	})
	return h
}

// counter reads a line pair of /proc/net/snmp in the namespace.
func (n namespace) counter(t *testing.T, group, name string) (value string) {
	n.do(func() error {
		text, err := os.ReadFile("/proc/thread-self/net/snmp")
		if err != nil {
			t.Error(err)
			return nil
		}
		var names []string
		for line := range strings.Lines(string(text)) {
			fields := strings.Fields(line)
			if fields[0] != group+":" {
				continue
			}
			if names == nil {
				names = fields
				continue
			}
			for i := range names {
				if names[i] == name {
					value = fields[i]
				}
			}
		}
		return nil
	})
	return value
}

func TestTCPThroughTheDevices(t *testing.T) {
	for _, offload := range [][2]bool{{true, true}, {true, false}, {false, true}, {false, false}} {
		for _, address := range []string{"192.0.2.2", "2001:db8::2"} {
			h := twoHosts(t, offload[0], offload[1])
			var server *net.TCPListener
			var client *net.TCPConn
			target := &net.TCPAddr{IP: net.ParseIP(address), Port: 7}
			if err := h.right.do(func() (err error) { server, err = net.ListenTCP("tcp", target); return err }); err != nil {
				t.Fatal(err)
			}
			defer server.Close()
			if err := h.left.do(func() (err error) { client, err = net.DialTCP("tcp", nil, target); return err }); err != nil {
				t.Fatal(err)
			}
			defer client.Close()
			conn, err := server.Accept()
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			go io.Copy(conn, conn) // an echo: both directions carry much data
			sent := make([]byte, 1<<20)
			for i := range sent {
				sent[i] = byte(i * 7 >> 3)
			}
			go func() {
				client.Write(sent)
				client.CloseWrite()
			}()
			got := make([]byte, len(sent))
			client.SetReadDeadline(time.Now().Add(20 * time.Second))
			if n, err := io.ReadFull(client, got); err != nil || !bytes.Equal(got, sent) {
				t.Errorf("offload %v, %s: %d bytes came back, %v; or they differ", offload, address, n, err)
			}
			for _, n := range []namespace{h.left, h.right} {
				for _, c := range [][2]string{{"Tcp", "InCsumErrors"}, {"Tcp", "InErrs"}, {"Ip", "InHdrErrors"}} {
					if v := n.counter(t, c[0], c[1]); v != "0" {
						t.Errorf("offload %v, %s: the kernel counts %s %s", offload, address, v, c[1])
					}
				}
			}
			if n := h.leftDev.Dropped() + h.rightDev.Dropped(); n != 0 {
				t.Errorf("offload %v, %s: %d packets were dropped", offload, address, n)
			}
		}
	}
}

func TestUDPSegmentsThroughTheDevices(t *testing.T) {
	for _, offload := range [][2]bool{{true, true}, {true, false}, {false, true}} {
		for _, address := range []string{"192.0.2.2", "2001:db8::2"} {
			h := twoHosts(t, offload[0], offload[1])
			var server, client *net.UDPConn
			target := &net.UDPAddr{IP: net.ParseIP(address), Port: 7}
			if err := h.right.do(func() (err error) { server, err = net.ListenUDP("udp", target); return err }); err != nil {
				t.Fatal(err)
			}
			defer server.Close()
			if err := h.left.do(func() (err error) { client, err = net.DialUDP("udp", nil, target); return err }); err != nil {
				t.Fatal(err)
			}
			defer client.Close()
			raw, err := client.SyscallConn()
			if err != nil {
				t.Fatal(err)
			}
			raw.Control(func(fd uintptr) { err = unix.SetsockoptInt(int(fd), unix.IPPROTO_UDP, unix.UDP_SEGMENT, 999) })
			if err != nil {
				t.Skipf("this kernel does not segment UDP: %v", err)
			}
			sent := make([]byte, 20*999+17)
			for i := range sent {
				sent[i] = byte(i * 7 >> 3)
			}
			_, err = client.Write(sent)
			if errors.Is(err, unix.EIO) {
				t.Skip("this kernel does not segment UDP for TUN devices: it is older than Linux 6.2")
			}
			if err != nil {
				t.Fatal(err)
			}
			server.SetReadDeadline(time.Now().Add(5 * time.Second))
			var got []byte
			buf := make([]byte, 65536)
			for i := range 21 {
				n, err := server.Read(buf)
				if want := min(999, len(sent)-len(got)); err != nil || n != want {
					t.Fatalf("offload %v, %s: datagram %d has %d bytes, %v; want %d", offload, address, i, n, err, want)
				}
				got = append(got, buf[:n]...)
			}
			if !bytes.Equal(got, sent) {
				t.Errorf("offload %v, %s: the bytes differ", offload, address)
			}
			if v := h.right.counter(t, "Udp", "InCsumErrors"); v != "0" {
				t.Errorf("offload %v, %s: the kernel counts %s wrong checksums", offload, address, v)
			}
		}
	}
}

// A kernel that lies: the header and the packet are the fuzzer's.
func FuzzSplitting(f *testing.F) {
	h, pkt := super(unix.IPPROTO_TCP, false, 100, 1000)
	b := make([]byte, offload.HeaderLen)
	h.Put(b)
	f.Add(append(b, pkt...), 1400)
	f.Fuzz(func(t *testing.T, read []byte, mtu int) {
		s := newSplitting()
		n := copy(s.super, read)
		first := &batch{}
		s.start(n, first)
		if first.dropped == 0 && s.segments.Empty() {
			t.Error("a packet is neither taken nor counted")
		}
		buf, ends := make([]byte, 16384), make([]int, 512)
		for rounds := 0; !s.segments.Empty(); rounds++ {
			b := &batch{buf: buf, room: 8, ends: ends, mtu: max(68, min(mtu, 9000))}
			s.drain(b)
			if b.n == 0 && b.dropped == 0 {
				t.Fatal("no progress")
			}
			start := 0
			for _, end := range ends[:b.n] {
				if end <= start+8 || end > len(buf) {
					t.Fatalf("ends %v", ends[:b.n])
				}
				start = end
			}
			if rounds > 1<<16 {
				t.Fatal("no end")
			}
		}
	})
}

func TestADeviceWithOffloadAllocatesNothing(t *testing.T) {
	inNamespace(t, func() {
		testAllocations(t, openVnetUp(t, here4, netip.Prefix{}))
	})
}

func TestABatchThatIsFullLeavesTheRestForTheNext(t *testing.T) {
	h, pkt := super(unix.IPPROTO_TCP, false, 1348, 20*1348)
	want := segments(t, h, pkt)
	s := newSplitting()
	h.Put(s.super)
	s.start(offload.HeaderLen+copy(s.super[offload.HeaderLen:], pkt), &batch{})
	var got [][]byte
	for _, n := range []int{11, 9, 0} {
		b := &batch{buf: make([]byte, 16384), room: 8, ends: make([]int, 512), mtu: 1400}
		more := s.drain(b)
		if b.n != n || more != (n < 11) || s.pending() != (n == 11) {
			t.Fatalf("a batch of %d packets, room for more %v, pending %v; want %d", b.n, more, s.pending(), n)
		}
		start := 0
		for _, end := range b.ends[:b.n] {
			got = append(got, b.buf[start+8:end])
			start = end
		}
	}
	for i := range want {
		if !bytes.Equal(got[i], want[i]) {
			t.Errorf("segment %d differs", i)
		}
	}
}

func TestASegmentThatNoBatchCanHoldIsDropped(t *testing.T) {
	h, pkt := super(unix.IPPROTO_TCP, false, 20000, 60000)
	s := newSplitting()
	h.Put(s.super)
	s.start(offload.HeaderLen+copy(s.super[offload.HeaderLen:], pkt), &batch{})
	b := &batch{buf: make([]byte, 16384), room: 8, ends: make([]int, 512), mtu: 1400}
	if !s.drain(b) || b.n != 0 || b.dropped != 1 || !s.segments.Empty() {
		t.Errorf("%d packets, %d dropped; want none, and the packet dropped", b.n, b.dropped)
	}
}

func TestAKernelThatRefusesSuperPackets(t *testing.T) {
	m := newMerging(true)
	m.refused(offload.Header{GSOType: offload.GSOUDP})
	if m.groups.UDP || m.single {
		t.Error("UDP was refused: TCP goes on, UDP does not")
	}
	m.refused(offload.Header{GSOType: offload.GSOTCPv4})
	if !m.single {
		t.Error("TCP was refused: packets go one by one")
	}
	inNamespace(t, func() {
		d := openVnetUp(t, here4, netip.Prefix{})
		raw, err := d.file.SyscallConn()
		if err != nil {
			t.Fatal(err)
		}
		h, pkt := super(unix.IPPROTO_TCP, false, 1000, 5000)
		raw.Control(func(fd uintptr) {
			if n, err := m.write(int(fd), segments(t, h, pkt)); n != 5 || err != nil {
				t.Errorf("write = %d, %v; want 5", n, err)
			}
		})
	})
}
