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
	held     int // bytes of the last writes that the stream keeps
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
	if !u.relief.hasDevice() { // all that waited has been dropped
		return true, nil
	}
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
