package datapath

import (
	"errors"
	"os"
	"time"

	"sstp/src/ppp"
	"sstp/src/sstp"
)

const (
	// maxWrite is the plaintext of one TLS record (RFC 8446 section 5.1): a Write of no more makes one record.
	maxWrite = 16384
	// headroom is what stands before each IP packet in the stream.
	headroom = sstp.HeaderLen + ppp.HeaderLen
	// maxBatch is how many packets are taken at once; of the smallest ones that matter, TCP acknowledgements, 273 fill
	// a write.
	maxBatch = 512
	// writeTimeout is how long one write may take before the connection is taken for dead.
	writeTimeout = 30 * time.Second
)

// uplink moves packets from the device into the stream. It is the only writer of the stream.
type uplink struct {
	p    *Pumps
	dev  Device // in use: its deadline has been taken back
	buf  []byte
	ends []int

	deadline time.Time // when the stream's write deadline was last set
	relief   *relief
	relieved bool // relief reads the device
	held     int  // bytes of the last writes that the stream keeps
	pace     pace
}

func (p *Pumps) uplink() error {
	u := &uplink{p: p, buf: make([]byte, maxWrite), ends: make([]int, maxBatch), relief: newRelief(p)}
	err := u.run()
	if u.relieved {
		u.relief.recall()
	}
	return err
}

func (u *uplink) run() error {
	for {
		g := u.p.gate.Load()
		if g != nil && g.dev != u.dev && !u.relieved {
			u.dev = g.dev
			u.dev.SetReadDeadline(time.Time{})
			if u.p.gate.Load() != g {
				continue // who has closed it has woken us, and that was taken back; nobody will do it again
			}
		}
		if u.p.done() {
			return nil
		}
		if err := u.writeControl(); err != nil {
			return err
		}
		switch more, err := u.fromQueue(); {
		case err != nil:
			return err
		case more:
			continue
		}
		if g == nil {
			u.dev = nil
			select {
			case <-u.p.wake:
			case <-u.p.stop:
			case <-u.p.over:
			}
			continue
		}
		if err := u.fromDevice(); err != nil {
			return err
		}
	}
}

// fromDevice waits for packets of the device and writes them.
func (u *uplink) fromDevice() error {
	n, err := u.dev.ReadPackets(u.buf, headroom, u.ends)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		u.dev = nil // somebody has woken us: look at everything again
		return u.flush()
	}
	if err != nil {
		return u.deviceFailed(err)
	}
	backlog := n > 0 && (n == len(u.ends) || len(u.buf)-u.ends[n-1] < headroom+u.relief.mtu)
	return u.send(n, backlog)
}

// fromQueue writes what relief has gathered, and takes the device back from it when nothing waits any more. It reports
// whether it has done anything at all.
func (u *uplink) fromQueue() (more bool, err error) {
	if !u.relieved && u.relief.empty() {
		return false, nil
	}
	quota := u.pace.quota(u.relief.queue.mtu)
	n, dropped := u.relief.take(u.buf[:quota], u.ends, u.pace.target(quota))
	if dropped > 0 {
		u.p.counts.txDropped.Add(dropped)
	}
	if n > 0 {
		return true, u.send(n, true)
	}
	if err := u.flush(); err != nil {
		return true, err
	}
	if !u.relieved { // all that waited has been dropped
		return true, nil
	}
	u.relieved = false
	if err := u.relief.recall(); err != nil {
		return true, u.deviceFailed(err)
	}
	u.dev = nil
	return true, nil
}

// deviceFailed is the end, unless the device has been taken away from us meanwhile.
func (u *uplink) deviceFailed(err error) error {
	if g := u.p.gate.Load(); g == nil || g.dev != u.dev {
		return u.flush()
	}
	return deviceError(err)
}

// send frames the n packets in buf and writes them, after what control packets there are. backlog says whether more
// packets are waiting.
func (u *uplink) send(n int, backlog bool) error {
	g := u.p.gate.Load() // it may have changed while we waited
	sent := g.frame(u.buf, u.ends[:n])
	if sent.dropped > 0 {
		u.p.counts.txDropped.Add(uint64(sent.dropped))
	}
	if sent.packets == 0 {
		return u.flush()
	}
	if err := u.writeControl(); err != nil {
		return err
	}
	if err := u.write(u.buf[:sent.len], backlog); err != nil {
		return err
	}
	u.p.counts.txPackets.Add(uint64(sent.packets))
	u.p.counts.txBytes.Add(uint64(sent.len - sent.packets*headroom))
	return nil
}

// framed is the result of frame: so much of the buffer is now SSTP packets.
type framed struct {
	len, packets, dropped int
}

// frame makes SSTP data packets of the packets that ReadPackets has laid into buf, in place. What must not pass is
// dropped and the rest moved together. A nil gate drops everything.
func (g *gate) frame(buf []byte, ends []int) framed {
	var f framed
	start := 0
	for _, end := range ends {
		pkt := buf[start+headroom : end]
		protocol, ok := g.passes(pkt)
		if !ok || len(pkt) > g.mtu {
			f.dropped++
			start = end
			continue
		}
		if f.len != start {
			copy(buf[f.len+headroom:], pkt)
		}
		sstp.PutDataHeader(buf[f.len:], ppp.HeaderLen+len(pkt))
		ppp.PutHeader(buf[f.len+sstp.HeaderLen:], protocol)
		f.len += end - start
		f.packets++
		start = end
	}
	return f
}

// passes says under which PPP protocol an IP packet of the device may be sent, if it may.
func (g *gate) passes(pkt []byte) (ppp.Protocol, bool) {
	if g == nil || len(pkt) == 0 {
		return 0, false
	}
	switch pkt[0] >> 4 {
	case 4:
		return ppp.ProtoIPv4, g.v4
	case 6:
		return ppp.ProtoIPv6, g.v6
	}
	return 0, false
}

// writeControl writes what Send has queued, whole packets in writes of at most maxWrite.
func (u *uplink) writeControl() error {
	buf, ends := u.p.queue.take()
	if ends == nil {
		return nil
	}
	start := 0
	for i, end := range ends {
		if i+1 == len(ends) || ends[i+1]-start > maxWrite {
			if err := u.write(buf[start:end], false); err != nil {
				return err
			}
			start = end
		}
	}
	u.p.queue.done()
	return nil
}

// write writes b under a deadline, and has relief read the device if that takes long. The deadline is moved at most once
// a second, which saves a timer for most writes and makes it between 29 and 30 seconds long.
func (u *uplink) write(b []byte, backlog bool) error {
	now := time.Now()
	if now.Sub(u.deadline) >= time.Second {
		if err := u.p.stream.SetWriteDeadline(now.Add(writeTimeout)); err != nil {
			return streamError(err)
		}
		u.deadline = now
	}
	u.pace.at(now)
	g := u.p.gate.Load()
	watched := len(b) >= bulk && !u.relieved && g != nil && g.dev == u.dev
	if watched && backlog && u.pace.holds(u.held+len(b)) && pending(u.dev) { // before relief may have the device
		u.held += len(b)
	} else {
		u.held = 0
	}
	u.p.batch.Hold(u.held > 0)
	if watched {
		u.relief.enter(g.dev, g.mtu, now, backlog && u.pace.slow)
	}
	_, err := u.p.stream.Write(b)
	if watched {
		u.relieved = u.relief.leave()
	}
	u.pace.wrote(len(b), now, backlog || u.relieved)
	return writeError(err)
}

// flush sends what the stream holds for a write that has not come.
func (u *uplink) flush() error {
	if u.held == 0 {
		return nil
	}
	u.held = 0
	return writeError(u.p.batch.Flush())
}

// pending reports whether the next ReadPackets of a device has something without waiting.
func pending(dev Device) bool {
	l, ok := dev.(Lookahead)
	return ok && l.Pending()
}
