package datapath

import "time"

// writeControl writes what Send has queued: whole packets, in writes of at most maxWrite.
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

// write writes b under a deadline. backlog says whether more packets are waiting.
func (u *uplink) write(b []byte, backlog bool) error {
	now := time.Now()
	if err := u.renewDeadline(now); err != nil {
		return err
	}
	u.pace.at(now)
	watched := u.watchable(len(b))
	u.hold(len(b), backlog && watched != nil)
	err := u.watch(b, watched, now, backlog && u.pace.slow)
	u.pace.wrote(len(b), now, backlog || u.relief.hasDevice())
	return writeError(err)
}

// renewDeadline moves the stream's write deadline at most once a second. That saves a timer for most writes, and leaves
// each of them between 29 and 30 seconds.
func (u *uplink) renewDeadline(now time.Time) error {
	if now.Sub(u.deadline) < time.Second {
		return nil
	}
	if err := u.p.stream.SetWriteDeadline(now.Add(writeTimeout)); err != nil {
		return streamError(err)
	}
	u.deadline = now
	return nil
}

// watchable returns the gate whose device relief may read while n bytes are being written. It returns nil when the write
// is too small to be watched or the uplink has no device to lend.
func (u *uplink) watchable(n int) *gate {
	g := u.p.gate.Load()
	if n < bulk || u.relief.hasDevice() || g == nil || g.dev != u.dev {
		return nil
	}
	return g
}

// hold tells the stream whether to keep the next n bytes for the write after them. follows says whether another bulk
// write is likely. The device is asked here, while it is certainly the uplink's.
func (u *uplink) hold(n int, follows bool) {
	if follows && u.pace.holds(u.held+n) && pending(u.dev) {
		u.held += n
	} else {
		u.held = 0
	}
	u.p.batch.Hold(u.held > 0)
}

// watch writes b. While the write blocks, relief may take the device of the gate g; with a nil gate it may not. slow says
// that it need not wait until the write has taken long.
func (u *uplink) watch(b []byte, g *gate, now time.Time, slow bool) error {
	if g != nil {
		u.relief.enter(g.dev, g.mtu, now, slow)
		defer u.relief.leave()
	}
	_, err := u.p.stream.Write(b)
	return err
}

// flush sends what the stream holds when no write follows after all.
func (u *uplink) flush() error {
	if u.held == 0 {
		return nil
	}
	u.held = 0
	return writeError(u.p.batch.Flush())
}

// pending reports whether the next ReadPackets of dev returns packets without waiting.
func pending(dev Device) bool {
	l, ok := dev.(Lookahead)
	return ok && l.Pending()
}
