package tun

import "io"

// reader is one way of taking packets out of the file. fill takes what is there without waiting; it reports false when
// there was nothing at all, and the poller calls it again when that may have changed.
type reader interface {
	fill(fd int, b *batch) (done bool)
	// pending reports whether the next fill has packets without looking into the file.
	pending() bool
}

// batch is the buffer of one ReadPackets while it is being filled.
type batch struct {
	buf     []byte
	room    int
	ends    []int
	mtu     int
	n       int // packets in buf
	pos     int // where the last of them ends
	dropped uint64
	err     error
}

// readCall is the state of ReadPackets. The closure for the poller is made once and finds its arguments here: made for
// each call it would be an allocation for each call.
type readCall struct {
	batch
	poll func(fd uintptr) bool
}

// ReadPackets blocks until a packet is there, then takes what is readable now without waiting. Packets are laid one
// behind the other into buf, each behind room free bytes; ends[i] is the end of packet i, so packet 0 is
// buf[room:ends[0]] and packet i is buf[ends[i-1]+room : ends[i]]. It returns their number and allocates nothing. buf
// must hold room bytes, one packet of the MTU and one byte more. n may be 0 when there were only packets to drop. The error is os.ErrDeadlineExceeded, os.ErrClosed,
// io.ErrShortBuffer or, when somebody has deleted the device, a *fault.Error.
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
		return n, nil // an error stays and is met again by the next call
	}
	if err == nil {
		err = b.err
	}
	return 0, d.ioError(err)
}

// Pending reports whether the next ReadPackets returns at once because a super-packet was larger than the buffer of the
// last one. Only who calls ReadPackets may call it.
func (d *Device) Pending() bool { return d.reader.pending() }

// space returns the free bytes for the next packet. It is nil when the batch is full: when a packet of the MTU would
// not fit, or not the one byte more by which a packet that was cut off shows itself.
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
