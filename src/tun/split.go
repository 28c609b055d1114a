package tun

import (
	"io"

	"golang.org/x/sys/unix"

	"sstp/src/offload"
)

// maxSuper is the largest packet that the kernel may hand over: all that the length field of IPv6 can say, with its
// header. One byte more shows one that was cut off.
const maxSuper = 40 + 65535

// front is the room before what is read that makes the packet behind the virtio-net header begin at a multiple of 16 bytes.
// Its segments go to multiples of 8, and between places that lie alike in their words a processor without unaligned access
// copies twice as fast; so does the kernel that reads into it.
const front = 16 - offload.HeaderLen

// splitting reads super-packets and hands out their segments. What does not fit into one batch is kept for the next.
type splitting struct {
	segments offload.Splitter
	super    []byte // virtio-net header and packet
}

func newSplitting() *splitting {
	return &splitting{super: make([]byte, front+offload.HeaderLen+maxSuper+1)[front:]}
}

func (s *splitting) fill(fd int, b *batch) (done bool) {
	for s.drain(b) {
		n, err := read(fd, s.super)
		switch {
		case err == unix.EINTR:
		case err == unix.EAGAIN:
			return b.n > 0
		case err == nil && n == 0:
			b.err = io.ErrUnexpectedEOF
			return true
		case err != nil:
			b.err = err
			return true
		default:
			s.start(n, b)
		}
	}
	return true
}

// pending reports whether segments are left over.
func (s *splitting) pending() bool { return !s.segments.Empty() }

// start takes the n bytes of super as the next packet.
func (s *splitting) start(n int, b *batch) {
	if n <= offload.HeaderLen || n == len(s.super) {
		b.dropped++
		return
	}
	var h offload.Header
	h.Get(s.super)
	if s.segments.Start(h, s.super[offload.HeaderLen:n]) != nil {
		b.dropped++
	}
}

// drain lays segments into b and reports whether there is room for more than there were, so that a read is worth while.
func (s *splitting) drain(b *batch) bool {
	for !s.segments.Empty() {
		space := b.space()
		if space == nil {
			return false
		}
		n := s.segments.Next(space)
		switch {
		case n > 0:
			b.add(n)
		case b.n > 0:
			return false // larger than the MTU, for somebody has changed it; it may fit into an empty batch
		default:
			s.segments.Reset()
			b.dropped++
		}
	}
	return b.dropped < maxDropped && b.space() != nil
}
