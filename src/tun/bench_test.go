package tun

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"testing"

	"golang.org/x/sys/unix"

	"sstp/src/offload"
)

// shapes are what the device is read and written with: a packet alone, and such as pass together.
var shapes = []struct{ n, size int }{{1, 64}, {1, 1400}, {11, 1400}}

const tcp4Headers = 52 // with timestamps

// BenchmarkRead is the way of TCP packets from the device's queue into a batch; with offload the kernel has them together.
// The system call alone is shown beside it.
func BenchmarkRead(b *testing.B) {
	inShapes(b, func(b *testing.B, d *Device, way string, n, size int) {
		h, pkt := super(unix.IPPROTO_TCP, false, size-tcp4Headers, n*(size-tcp4Headers))
		if n == 1 {
			h.GSOType, h.GSOSize = offload.GSONone, 0
		}
		queue := queueTo(b, d, d.Offload(), h, pkt)
		buf, ends := make([]byte, 16384), make([]int, n)
		take := func() error { return readBatch(d, buf, ends) }
		if way == "call" {
			fd, super := descriptor(d), d.reader.(*splitting).super
			take = func() error {
				_, err := read(fd, super)
				return err
			}
		}
		const queued = 20
		b.StopTimer()
		b.ResetTimer()
		for done := 0; done < b.N; {
			some := min(queued, b.N-done)
			for range some {
				queue()
			}
			b.StartTimer()
			for range some {
				if err := take(); err != nil {
					b.Fatal(err)
				}
			}
			b.StopTimer()
			done += some
		}
	})
}

// readBatch reads as many packets as there is room for.
func readBatch(d *Device, buf []byte, ends []int) error {
	n, err := d.ReadPackets(buf, 8, ends)
	if err == nil && n != len(ends) {
		err = fmt.Errorf("%d packets, want %d", n, len(ends))
	}
	return err
}

func descriptor(d *Device) (n int) {
	d.raw.Control(func(fd uintptr) { n = int(fd) })
	return n
}

// queueTo returns a function that puts a packet into the queue of a device, through a packet socket, as the kernel's TCP
// does: with offload as a super-packet, without it as what that stands for.
func queueTo(b *testing.B, d *Device, together bool, h offload.Header, pkt []byte) func() {
	ifi, err := net.InterfaceByName(d.Name())
	if err != nil {
		b.Fatal(err)
	}
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0) // of no protocol: it hears nothing
	if err != nil {
		b.Skip("no packet sockets:", err)
	}
	b.Cleanup(func() { unix.Close(fd) })
	var all [][]byte
	if together {
		if err := unix.SetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_VNET_HDR, 1); err != nil {
			b.Skip("no super-packets by packet sockets:", err)
		}
		b := make([]byte, offload.HeaderLen, offload.HeaderLen+len(pkt))
		h.Put(b)
		all = [][]byte{append(b, pkt...)}
	} else {
		all = segments(b, h, pkt)
	}
	to := &unix.SockaddrLinklayer{Protocol: binary.NativeEndian.Uint16([]byte{8, 0}), Ifindex: ifi.Index} // ETH_P_IP
	return func() {
		for _, pkt := range all {
			if err := unix.Sendto(fd, pkt, 0, to); err != nil {
				b.Fatal(err)
			}
		}
	}
}

// BenchmarkWrite is the way of TCP packets into the kernel, which has no route for them; the system call alone is shown
// beside it.
func BenchmarkWrite(b *testing.B) {
	inShapes(b, func(b *testing.B, d *Device, way string, n, size int) {
		h, pkt := super(unix.IPPROTO_TCP, false, size-tcp4Headers, n*(size-tcp4Headers))
		pkts := segments(b, h, pkt)
		for _, pkt := range pkts {
			pkt[33] = 0x10 // only ACK: no end of anything
		}
		head := append([]byte(nil), pkts[0]...)
		write := func() error {
			copy(pkts[0], head) // merging has changed it
			_, err := d.WritePackets(pkts)
			return err
		}
		if way == "call" {
			m := newMerging(false)
			m.groups.Merge(pkts)
			h, _, m.parts = m.groups.Group(0, nil)
			fd := descriptor(d)
			write = func() error { return m.writeOne(fd, h) }
		}
		for b.Loop() {
			if err := write(); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// inShapes runs f for each way and shape with a device in a namespace of its own: the system call alone, and with offload
// and without it the whole way.
func inShapes(b *testing.B, f func(b *testing.B, d *Device, way string, n, size int)) {
	for _, way := range []string{"call", "offload", "plain"} {
		for _, c := range shapes {
			b.Run(fmt.Sprintf("%s/%dx%d", way, c.n, c.size), func(b *testing.B) {
				inNamespace(b, func() {
					b.SetBytes(int64(c.n * c.size))
					b.ReportAllocs()
					if way == "plain" {
						f(b, openUp(b, Options{MTU: 1400}), way, c.n, c.size)
					} else {
						f(b, openVnetUp(b, here4, netip.Prefix{}), way, c.n, c.size)
					}
				})
			})
		}
	}
}
