package tun

import "io"

// reader is one way of reading packets from the file. fill takes what is readable without waiting. It reports false when
// there was nothing at all, and the poller calls it again when the file becomes readable.
type reader interface {
	fill(fd int, b *batch) (done bool)
	// pending reports whether the next fill has packets without reading the file.
	pending() bool
}

// batch is the buffer of one ReadPackets while it is being filled.
type batch struct {
	buf     []byte
	room    int
	ends    []int
	mtu     int
	n       int // packets in buf
	pos     int // end of the last of them
	dropped uint64
	err     error
}

// readCall is the state of ReadPackets. The poller's closure is made once and finds its arguments here, because a closure
// for each call would be an allocation for each call.
type readCall struct {
	batch
	poll func(fd uintptr) bool
}

// ReadPackets blocks until a packet arrives, then takes what is readable without waiting. It puts the packets into buf one
// after the other, each behind room free bytes. ends[i] is the end of packet i: packet 0 is buf[room:ends[0]], and packet
// i is buf[ends[i-1]+room : ends[i]]. buf must hold room bytes, one packet of the MTU and one byte more.
//
// ReadPackets returns the number of packets and allocates nothing. n is 0 when all packets had to be dropped. The error is
// os.ErrDeadlineExceeded, os.ErrClosed, io.ErrShortBuffer or, when somebody has deleted the device, a *fault.Error.
func (d *Device) ReadPackets(buf []byte, room int, ends []int) (n int, err error) {
	b := &d.in.batch
	*b = batch{buf: buf, room: room, ends: ends, mtu: d.MTU()}
	if b.space() == nil {
		return 0, io.ErrShortBuffer
	}
	err = d.raw.Read(d.in.poll)
	if b.dropped > 0 {
		d.dropped.Add(b.dropped)
	}
	if n = b.n; n > 0 {
		return n, nil // the next call meets the same error again
	}
	if err == nil {
		err = b.err
	}
	return 0, d.ioError(err)
}

// Pending reports whether the next ReadPackets returns at once, because the last one had no room for a whole super-packet.
// Only the goroutine that calls ReadPackets may call it.
func (d *Device) Pending() bool { return d.reader.pending() }

// space returns the free bytes for the next packet, or nil when the batch is full. There must be room for a packet of the
// MTU and one byte more, which shows that a packet was cut off.
func (b *batch) space() []byte {
	if b.n == len(b.ends) || len(b.buf)-b.pos < b.room+b.mtu+1 {
		return nil
	}
	return b.buf[b.pos+b.room:]
}

// add makes the first n bytes of space the next packet.
func (b *batch) add(n int) {
	b.pos += b.room + n
	b.ends[b.n] = b.pos
	b.n++
}
