package tun

import (
	"io"

	"golang.org/x/sys/unix"

	"sstp/src/offload"
)

// maxSuper is the size of the largest packet that the kernel can hand over: an IPv6 header and the largest payload that its
// length field can express. One byte more in the buffer shows that a packet was cut off.
const maxSuper = 40 + 65535

// front is the free space before the virtio-net header. It aligns the packet behind the header to 16 bytes. Segments go to
// multiples of 8. A processor without unaligned access copies twice as fast between addresses of the same alignment, and so
// does the kernel when it fills the buffer.
const front = 16 - offload.HeaderLen

// splitting reads super-packets and returns their segments. It keeps what does not fit into one batch for the next.
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

// start makes the first n bytes of super the next packet, or drops them.
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

// drain puts segments into b. It reports whether b has room left, so that another read is worthwhile.
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
			return false // larger than our MTU, which somebody has changed; it may fit into an empty batch
		default:
			s.segments.Reset()
			b.dropped++
		}
	}
	return b.dropped < maxDropped && b.space() != nil
}
