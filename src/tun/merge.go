package tun

import (
	"unsafe"

	"golang.org/x/sys/unix"

	"sstp/src/offload"
)

// merging joins the packets of a batch into super-packets. It writes each of them with one system call, which takes the
// pieces from the caller's buffer.
type merging struct {
	groups offload.Merger
	single bool // the kernel refuses super-packets
	header [offload.HeaderLen]byte
	parts  [][]byte
	pieces []unix.Iovec
}

func newMerging(udp bool) *merging {
	return &merging{groups: offload.Merger{UDP: udp}}
}

func (m *merging) write(fd int, pkts [][]byte) (written int, err error) {
	defer m.release()
	if m.single {
		return m.writeSingly(fd, pkts)
	}
	for i := range m.groups.Merge(pkts) {
		var h offload.Header
		var n int
		h, n, m.parts = m.groups.Group(i, m.parts[:0])
		switch err := m.writeOne(fd, h); {
		case err == nil:
			written += n
		case gone(err):
			return written, err
		case err == unix.EINVAL && n > 1:
			m.refused(h)
		}
	}
	return written, nil
}

func (m *merging) writeSingly(fd int, pkts [][]byte) (written int, err error) {
	for _, pkt := range pkts {
		m.parts = append(m.parts[:0], pkt)
		err := m.writeOne(fd, offload.Header{})
		if err == nil {
			written++
		} else if gone(err) {
			return written, err
		}
	}
	return written, nil
}

// release drops all references to the caller's buffer.
func (m *merging) release() {
	m.groups.Reset()
	clear(m.parts[:cap(m.parts)])
	clear(m.pieces[:cap(m.pieces)])
}

// refused stops merging what the kernel does not take although it said that it would.
func (m *merging) refused(h offload.Header) {
	if h.GSOType == offload.GSOUDP {
		m.groups.UDP = false
	} else {
		m.single = true
	}
}

// writeOne writes parts as one packet with the header h.
func (m *merging) writeOne(fd int, h offload.Header) error {
	h.Put(m.header[:])
	m.pieces = m.pieces[:0]
	m.piece(m.header[:])
	for _, part := range m.parts {
		m.piece(part)
	}
	for {
		switch errno := writev(fd, m.pieces); errno {
		case 0:
			return nil
		case unix.EINTR:
		default:
			return errno
		}
	}
}

func (m *merging) piece(b []byte) {
	v := unix.Iovec{Base: unsafe.SliceData(b)}
	v.SetLen(len(b))
	m.pieces = append(m.pieces, v)
}
