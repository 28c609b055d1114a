package tun

import (
	"net/netip"
	"testing"

	"golang.org/x/sys/unix"
)

// BenchmarkRead is the way from a local UDP socket through the kernel into one batch; with offload the kernel hands the
// datagrams over together, as it does with TCP.
func BenchmarkRead(b *testing.B) {
	bothWays(b, func(b *testing.B, d *Device) {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			b.Fatal(err)
		}
		defer unix.Close(fd)
		const size, count = 1372, 11
		if err := unix.SetsockoptInt(fd, unix.IPPROTO_UDP, unix.UDP_SEGMENT, size); err != nil {
			b.Skipf("this kernel does not segment UDP: %v", err)
		}
		payload, to := make([]byte, size*count), &unix.SockaddrInet4{Port: 9, Addr: there4.As4()}
		buf, ends := make([]byte, 16384), make([]int, 512)
		b.SetBytes(int64(len(payload)))
		b.ReportAllocs()
		for b.Loop() {
			if err := unix.Sendto(fd, payload, 0, to); err != nil {
				b.Fatal(err)
			}
			for got := 0; got < count; {
				n, err := d.ReadPackets(buf, 8, ends)
				if err != nil {
					b.Fatal(err)
				}
				got += n
			}
		}
	})
}

// BenchmarkWrite is the way of 11 TCP segments into the kernel, which has no connection for them.
func BenchmarkWrite(b *testing.B) {
	bothWays(b, func(b *testing.B, d *Device) {
		h, pkt := super(unix.IPPROTO_TCP, false, 1348, 11*1348)
		pkts := segments(b, h, pkt)
		head := append([]byte(nil), pkts[0]...)
		b.SetBytes(int64(11 * len(head)))
		b.ReportAllocs()
		for b.Loop() {
			copy(pkts[0], head) // merging has changed it
			if n, err := d.WritePackets(pkts); n != 11 || err != nil {
				b.Fatal(n, err)
			}
		}
	})
}

func bothWays(b *testing.B, f func(b *testing.B, d *Device)) {
	for _, c := range []struct {
		name    string
		offload bool
	}{{"plain", false}, {"offload", true}} {
		b.Run(c.name, func(b *testing.B) {
			inNamespace(b, func() {
				if c.offload {
					f(b, openVnetUp(b, here4, netip.Prefix{}))
				} else {
					f(b, openUp(b, Options{MTU: 1400}))
				}
			})
		})
	}
}
