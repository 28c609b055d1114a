package tun

import (
	"bytes"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sstp/src/fault"
)

var (
	here4  = netip.MustParsePrefix("192.0.2.1/24")
	there4 = netip.MustParseAddr("192.0.2.2")
)

// openUp opens a device, sets it up and closes it with the test.
func openUp(t testing.TB, o Options) *Device {
	t.Helper()
	d, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	configure(t, d.Name(), here4, netip.Prefix{})
	return d
}

func udpSocket(t testing.TB, local netip.Addr) *net.UDPConn {
	t.Helper()
	c, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(local, 0)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// echoed turns a UDP packet into its answer: addresses and ports change sides, which leaves the checksums right.
func echoed(pkt []byte) []byte {
	p := bytes.Clone(pkt)
	copy(p[12:], pkt[16:20])
	copy(p[16:], pkt[12:16])
	copy(p[20:], pkt[22:24])
	copy(p[22:], pkt[20:22])
	return p
}

func TestPlainDeviceTakesAllThatIsReadableAtOnce(t *testing.T) {
	inNamespace(t, func() {
		d := openUp(t, Options{Name: "tplain", MTU: 1400})
		if d.Name() != "tplain" || d.MTU() != 1400 || d.Offload() {
			t.Errorf("device %s, MTU %d, offload %v; want tplain, 1400, false", d.Name(), d.MTU(), d.Offload())
		}
		c := udpSocket(t, here4.Addr())
		sizes := []int{0, 1, 100, 1372} // 1372: a packet of the MTU
		payload := bytes.Repeat([]byte("sstp"), 343)
		for _, n := range sizes {
			if _, err := c.WriteToUDPAddrPort(payload[:n], netip.AddrPortFrom(there4, 9)); err != nil {
				t.Fatal(err)
			}
		}
		buf, ends := make([]byte, 16384), make([]int, 64)
		n, err := d.ReadPackets(buf, 8, ends)
		if err != nil || n != len(sizes) {
			t.Fatalf("ReadPackets = %d, %v; want all %d packets at once", n, err, len(sizes))
		}
		var back [][]byte
		start := 0
		for i, end := range ends[:n] {
			pkt := buf[start+8 : end]
			if len(pkt) != 28+sizes[i] || pkt[0] != 0x45 || !bytes.Equal(pkt[28:], payload[:sizes[i]]) {
				t.Errorf("packet %d is %x..., %d bytes; want a UDP packet of %d", i, pkt[:20], len(pkt), 28+sizes[i])
			}
			back = append(back, echoed(pkt))
			start = end
		}
		back = append(back, []byte{0x05}, nil) // neither is a packet: skipped
		if n, err := d.WritePackets(back); n != len(sizes) || err != nil {
			t.Fatalf("WritePackets = %d, %v; want %d, nil", n, err, len(sizes))
		}
		for _, want := range sizes {
			c.SetReadDeadline(time.Now().Add(5 * time.Second))
			got, from, err := c.ReadFromUDPAddrPort(buf)
			if err != nil || got != want || !bytes.Equal(buf[:got], payload[:want]) || from.Port() != 9 {
				t.Errorf("received %d bytes from %v, %v; want the %d that were sent", got, from, err, want)
			}
		}
	})
}

func TestReadPacketsStopsWhenThePacketsMayNotFit(t *testing.T) {
	inNamespace(t, func() {
		d := openUp(t, Options{MTU: 1400})
		c := udpSocket(t, here4.Addr())
		for range 5 {
			c.WriteToUDPAddrPort(make([]byte, 972), netip.AddrPortFrom(there4, 9))
		}
		if _, err := d.ReadPackets(make([]byte, 1408), 8, make([]int, 9)); err != io.ErrShortBuffer {
			t.Errorf("a buffer that holds less than a packet of the MTU and a byte: %v, want io.ErrShortBuffer", err)
		}
		ends := make([]int, 3)
		if n, err := d.ReadPackets(make([]byte, 1409+1008), 8, ends); n != 2 || err != nil || ends[1] != 2016 {
			t.Errorf("ReadPackets = %d, %v, ends %v; want 2: a third of the MTU might not have fit", n, err, ends)
		}
		if n, err := d.ReadPackets(make([]byte, 16384), 8, ends); n != 3 || err != nil {
			t.Errorf("ReadPackets = %d, %v; want the 3 that ends has place for", n, err)
		}
	})
}

func TestPacketsLargerThanTheMTUOfOursAreDropped(t *testing.T) {
	inNamespace(t, func() {
		d := openUp(t, Options{MTU: 1400})
		if _, err := interfaceMTU(d.Name(), unix.SIOCSIFMTU, 9000); err != nil {
			t.Fatal(err)
		}
		c := udpSocket(t, here4.Addr())
		c.WriteToUDPAddrPort(make([]byte, 5000), netip.AddrPortFrom(there4, 9))
		c.WriteToUDPAddrPort(make([]byte, 10), netip.AddrPortFrom(there4, 9))
		ends := make([]int, 9)
		n, err := d.ReadPackets(make([]byte, 1500), 8, ends)
		if n != 1 || err != nil || ends[0] != 8+38 || d.Dropped() != 1 {
			t.Errorf("ReadPackets = %d, %v, end %d, dropped %d; want the small packet, and one dropped", n, err, ends[0], d.Dropped())
		}
	})
}

func TestADeadlineWakesAReader(t *testing.T) {
	inNamespace(t, func() {
		d := openUp(t, Options{MTU: 1400})
		got := make(chan error)
		go func() {
			_, err := d.ReadPackets(make([]byte, 2000), 8, make([]int, 9))
			got <- err
		}()
		d.SetReadDeadline(time.Unix(1, 0))
		if err := <-got; !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("a reader that was woken has %v, want os.ErrDeadlineExceeded", err)
		}
		d.SetReadDeadline(time.Time{})
		go func() {
			_, err := d.ReadPackets(make([]byte, 2000), 8, make([]int, 9))
			got <- err
		}()
		d.Close()
		if err := <-got; err != os.ErrClosed {
			t.Errorf("a reader of a closed device has %v, want os.ErrClosed", err)
		}
		if _, err := d.WritePackets([][]byte{{0x45}}); err != os.ErrClosed {
			t.Errorf("a writer to a closed device has %v, want os.ErrClosed", err)
		}
	})
}

func TestADeviceIsNotInherited(t *testing.T) {
	for _, offload := range []bool{false, true} {
		inNamespace(t, func() {
			d := openUp(t, Options{MTU: 1400, Offload: offload})
			d.raw.Control(func(fd uintptr) {
				flags, err := unix.FcntlInt(fd, unix.F_GETFD, 0)
				if err != nil || flags&unix.FD_CLOEXEC == 0 {
					t.Errorf("offload %v: flags %x, %v; want close-on-exec", offload, flags, err)
				}
			})
		})
	}
}

func TestADeviceThatSomebodyTookDownOrDeleted(t *testing.T) {
	for _, offload := range []bool{false, true} {
		inNamespace(t, func() {
			d := openUp(t, Options{MTU: 1400, Offload: offload})
			pkt := []byte{0x45, 0, 0, 20, 0, 0, 0, 0, 64, 99, 0, 0, 192, 0, 2, 2, 192, 0, 2, 1}
			if n, err := d.WritePackets([][]byte{pkt}); n != 1 || err != nil {
				t.Errorf("offload %v: WritePackets = %d, %v; want 1, nil", offload, n, err)
			}
			ifi, err := net.InterfaceByName(d.Name())
			if err != nil {
				t.Fatal(err)
			}
			if err := setFlags(ifi.Index, 0); err != nil {
				t.Fatal(err)
			}
			if n, err := d.WritePackets([][]byte{pkt, pkt}); n != 0 || err != nil {
				t.Errorf("offload %v: a device that is down: %d, %v; want 0, nil: it may come up again", offload, n, err)
			}
			if err := deleteLink(ifi.Index); err != nil {
				t.Fatal(err)
			}
			var f *fault.Error
			if _, err := d.WritePackets([][]byte{pkt}); !errors.As(err, &f) || f.Code != fault.TUNFailed {
				t.Errorf("offload %v: writing to a deleted device: %v, want TUN_FAILED", offload, err)
			}
			if _, err := d.ReadPackets(make([]byte, 2000), 8, make([]int, 9)); !errors.As(err, &f) || f.Code != fault.TUNFailed {
				t.Errorf("offload %v: reading from a deleted device: %v, want TUN_FAILED", offload, err)
			}
		})
	}
}

func TestOpenSaysWhyThereIsNoDevice(t *testing.T) {
	var f *fault.Error
	if _, err := Open(Options{Name: "a-name-of-16-byte"}); !errors.As(err, &f) || f.Code != fault.TUNFailed {
		t.Errorf("a name of 17 bytes: %v, want TUN_FAILED", err)
	}
	inNamespace(t, func() {
		d := openUp(t, Options{Name: "taken"})
		if d.MTU() != 1500 {
			t.Errorf("MTU %d, want 1500: the kernel's own where none is asked for", d.MTU())
		}
		if err := d.SetMTU(20); !errors.As(err, &f) || f.Code != fault.TUNFailed {
			t.Errorf("an MTU of 20: %v, want TUN_FAILED", err)
		}
		if err := d.SetMTU(1280); err != nil || d.MTU() != 1280 {
			t.Errorf("an MTU of 1280: %v", err)
		}
		before := openFiles(t)
		for _, name := range []string{"taken", "lo"} {
			for _, offload := range []bool{false, true} {
				if _, err := Open(Options{Name: name, Offload: offload}); !errors.As(err, &f) || f.Code != fault.TUNFailed {
					t.Errorf("the name %s of another device: %v, want TUN_FAILED", name, err)
				} else if want := "The device name " + name + " is taken."; f.Message != want {
					t.Errorf("message %q, want %q", f.Message, want)
				}
			}
		}
		if after := openFiles(t); after != before {
			t.Errorf("%d files are open, and %d were before: a daemon that tries again and again runs out of them", after, before)
		}
	})
}

// openFiles counts the open /dev/net/tun files of this process.
func openFiles(t *testing.T) (n int) {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if target, _ := os.Readlink("/proc/self/fd/" + e.Name()); target == "/dev/net/tun" {
			n++
		}
	}
	return n
}

func TestPlainDeviceAllocatesNothing(t *testing.T) {
	inNamespace(t, func() {
		d := openUp(t, Options{MTU: 1400})
		testAllocations(t, d)
	})
}

// testAllocations sends packets through the device in both directions.
func testAllocations(t *testing.T, d *Device) {
	c := udpSocket(t, here4.Addr())
	fd, err := c.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	payload, to := make([]byte, 1000), &unix.SockaddrInet4{Port: 9, Addr: there4.As4()}
	send := func(fd uintptr) { err = unix.Sendto(int(fd), payload, 0, to) }
	buf, ends, back := make([]byte, 16384), make([]int, 64), make([][]byte, 0, 64)
	allocs := testing.AllocsPerRun(200, func() {
		fd.Control(send)
		fd.Control(send)
		n, err2 := d.ReadPackets(buf, 8, ends)
		if n != 2 || err != nil || err2 != nil {
			t.Fatal(n, err, err2)
		}
		back = append(back[:0], buf[8:ends[0]], buf[ends[0]+8:ends[1]])
		if n, err := d.WritePackets(back); n != 2 || err != nil {
			t.Fatal(n, err)
		}
	})
	if allocs != 0 {
		t.Errorf("%v allocations for two packets in and out, want 0", allocs)
	}
}
