package session

import (
	"time"

	"sstp/src/config"
	"sstp/src/datapath"
	"sstp/src/fault"
	"sstp/src/phrase"
)

// holder keeps the TUN device. It outlives calls: while a lost call is redialed the device stays, with its addresses and
// routes, for as long as option hold says.
type holder struct {
	device Device    // nil: none is open
	until  time.Time // when a lost call's device is given up; zero: not waiting for that
}

// openDevice makes the device, or sets the MTU of the one that is there.
func (s *Session) openDevice(mtu int) error {
	if s.hold.device != nil {
		return s.hold.device.SetMTU(mtu)
	}
	d, err := s.cfg.OpenDevice(s.cfg.Tunnel.Device(), mtu)
	if err != nil {
		return err
	}
	s.hold.device = d
	s.update(func(st *Status) { st.Device = d.Name() })
	return nil
}

func (s *Session) closeDevice() {
	if s.hold.device == nil {
		return
	}
	s.stopRefusing()
	s.hold.device.Close()
	s.hold.device = nil
	s.update(func(st *Status) { st.Device = "" })
}

// holdDevice keeps the device, its addresses and routes after a call was lost, for as long as option hold says. With
// 'forever' they stay until the session is stopped, whatever becomes of the next calls, and packets into the device are
// refused.
func (s *Session) holdDevice(now time.Time) {
	switch {
	case s.cfg.Tunnel.HoldsForever():
		s.startRefusing()
	case s.cfg.Tunnel.Hold == 0:
		s.letGo(now)
	default:
		s.hold.until = now.Add(s.cfg.Tunnel.Hold)
	}
}

// holdDue gives the device up, unless the network is just being told of the next call's link.
func holdDue(s *Session, now time.Time, _ event) {
	if s.network.telling() {
		s.hold.until = now.Add(time.Second)
		return
	}
	s.letGo(now)
}

// letGo gives up the device and its addresses because no call came up in time.
func (s *Session) letGo(now time.Time) {
	s.hold.until = time.Time{}
	if !s.network.holds() {
		return
	}
	s.withdraw()
	s.update(func(st *Status) {
		st.Local, st.Peer, st.Local6, st.Peer6 = Link{}.Local, Link{}.Peer, Link{}.Local6, Link{}.Peer6
		st.DNS, st.MTU, st.Reach, st.AddressWarnings = nil, 0, Reach{}, nil
	})
	if s.status.State == Holding {
		s.setState(now, Waiting, phrase.Of("no call came up in time: addresses and device given up"))
	}
}

// startRefusing has packets into the device answered by an ICMP error, so that nothing waits for what cannot come. A
// finite hold does without: the kernel queues some packets for the next call, which follows at once or not at all.
func (s *Session) startRefusing() {
	if s.refuser != nil || s.hold.device == nil || !s.network.holds() {
		return
	}
	r := datapath.Refuse(s.hold.device, s.network.link.Peer, func(err error) { s.post(deviceLostEvent{err}) })
	s.mu.Lock()
	s.refuser = r
	s.mu.Unlock()
	s.wantCheck()
}

// stopRefusing frees the device for a call, or to be closed.
func (s *Session) stopRefusing() {
	r := s.refuser
	if r == nil {
		return
	}
	r.Stop()
	s.mu.Lock()
	s.counted.TxDropped += r.Refused()
	s.refuser = nil
	s.mu.Unlock()
	s.wantCheck()
}

// deviceLost follows the loss of a held device.
func deviceLost(s *Session, now time.Time, e event) {
	if s.refuser == nil {
		return // the device was replaced meanwhile
	}
	s.cfg.Log(config.LogWarn, "%v", e.(deviceLostEvent).err)
	s.replaceDevice(now)
}

// replaceDevice follows the loss of the device: somebody has deleted it, and its addresses and routes with it.
func (s *Session) replaceDevice(now time.Time) {
	if !s.network.holds() || !s.cfg.Tunnel.HoldsForever() {
		s.letGo(now) // the next call makes another one
		return
	}
	s.closeDevice()
	s.reopenDevice()
}

// reopenDevice makes the device of a link that is held for ever again and announces the link, without waiting for a call:
// until then nothing would keep traffic from leaving by another interface. If that fails, it is tried again each minute.
func (s *Session) reopenDevice() {
	s.network.again = true
	link := *s.network.link
	if err := s.openDevice(link.MTU); err != nil {
		s.cfg.Log(config.LogError, "the device %s is gone and cannot be made again: %v", link.Device, err)
		return
	}
	s.startRefusing()
	if !s.network.telling() {
		s.announce(0, s.network.agreed)
	}
}

// surrender stops calling while the link stays announced. Options authfail and maxfail say when to stop calling, and hold
// 'forever' says that traffic must not leave by another interface all the same. Reconnect ends it.
func (s *Session) surrender(now time.Time, err *fault.Error) {
	s.enter(phaseSurrendered)
	s.servers.startRound()
	s.update(func(st *Status) { st.NextRetry = time.Time{} })
	s.setState(now, Holding, phrase.Of("no more calls after %s; what enters the tunnel is refused until somebody reconnects it", string(err.Code)))
}
