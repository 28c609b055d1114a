package datapath

import (
	"errors"
	"os"
	"time"

	"sstp/src/ppp"
	"sstp/src/sstp"
)

const (
	// maxWrite is the largest plaintext of one TLS record (RFC 8446 section 5.1). A Write of at most this many bytes
	// makes one record.
	maxWrite = 16384
	// headroom is the size of the headers before each IP packet in the stream.
	headroom = sstp.HeaderLen + ppp.HeaderLen
	// maxBatch is how many packets are read at once. 273 TCP acknowledgements, the smallest packets that matter, fill a
	// write.
	maxBatch = 512
	// writeTimeout is how long one write may take before the connection counts as dead.
	writeTimeout = 30 * time.Second
)

// uplink moves packets from the device into the stream. It is the only writer of the stream.
type uplink struct {
	p    *Pumps
	dev  Device // the device that is ready to be read: its deadline is cleared
	buf  []byte
	ends []int

	deadline time.Time // when the write deadline of the stream was last set
	relief   *relief
	held     int // bytes that the stream keeps for the next write
	pace     pace
}

func (p *Pumps) uplink() error {
	u := &uplink{p: p, buf: make([]byte, maxWrite), ends: make([]int, maxBatch), relief: newRelief(p)}
	err := u.run()
	if u.relief.hasDevice() {
		u.relief.recall()
	}
	return err
}

func (u *uplink) run() error {
	for {
		g := u.p.gate.Load()
		if g != nil && g.dev != u.dev && !u.relief.hasDevice() {
			u.dev = g.dev
			u.dev.SetReadDeadline(time.Time{})
			if u.p.gate.Load() != g {
				continue // the gate changed after we cleared the deadline, so its wake-up is lost: look again
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

// fromDevice waits for packets from the device and writes them.
func (u *uplink) fromDevice() error {
	n, err := u.dev.ReadPackets(u.buf, headroom, u.ends)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		u.dev = nil // wakeUplink has set the deadline: look at everything again
		return u.flush()
	}
	if err != nil {
		return u.deviceFailed(err)
	}
	backlog := n > 0 && (n == len(u.ends) || len(u.buf)-u.ends[n-1] < headroom+u.relief.mtu)
	return u.send(n, backlog)
}

// fromQueue writes what relief has queued. When the queue is empty, it takes the device back from relief. It reports
// whether it did anything.
func (u *uplink) fromQueue() (more bool, err error) {
	if !u.relief.hasDevice() && u.relief.empty() {
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
	if !u.relief.hasDevice() { // CoDel dropped everything that was queued
		return true, nil
	}
	if err := u.relief.recall(); err != nil {
		return true, u.deviceFailed(err)
	}
	u.dev = nil
	return true, nil
}

// deviceFailed returns the error that ends the pumps. It is no failure when the owner has meanwhile taken the device
// away.
func (u *uplink) deviceFailed(err error) error {
	if g := u.p.gate.Load(); g == nil || g.dev != u.dev {
		return u.flush()
	}
	return deviceError(err)
}

// send frames the n packets in buf and writes them after any queued control packets. backlog says whether more packets
// are waiting.
func (u *uplink) send(n int, backlog bool) error {
	g := u.p.gate.Load() // it may have changed during the wait
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
