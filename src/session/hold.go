package session

import (
	"time"

	"sstp/src/config"
	"sstp/src/datapath"
	"sstp/src/fault"
)

// hold keeps the device, its addresses and routes after a call was lost: for as long as option hold says. With 'forever'
// they stay until the session is stopped, whatever becomes of the next calls, and what enters the device is refused.
func (s *Session) hold(now time.Time) {
	switch {
	case s.cfg.Tunnel.HoldsForever():
		s.startRefusing()
	case s.cfg.Tunnel.Hold == 0:
		s.letGo(now)
	default:
		s.holdUntil = now.Add(s.cfg.Tunnel.Hold)
	}
}

// startRefusing has what enters the device answered by an ICMP error, so that nothing waits for what cannot come. A finite
// hold has no need of it: the kernel queues some packets for the call that follows at once or not at all.
func (s *Session) startRefusing() {
	if s.refuser != nil || s.device == nil || s.announced == nil {
		return
	}
	r := datapath.Refuse(s.device, s.announced.Peer, func(err error) { s.post(deviceLostEvent{err}) })
	s.mu.Lock()
	s.refuser = r
	s.mu.Unlock()
	s.wantCheck()
}

// stopRefusing gives the device free for a call, or for being closed.
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

// deviceLost follows the loss of the device: somebody has deleted it, and its addresses and routes with it.
func (s *Session) deviceLost(now time.Time) {
	if s.announced == nil || !s.cfg.Tunnel.HoldsForever() || !s.stopAt.IsZero() {
		s.letGo(now) // the next call makes another one
		return
	}
	s.closeDevice()
	s.reopenDevice()
}

// reopenDevice makes the device of a link that is held for ever once more and announces the link again, without waiting
// for a call: until then nothing would keep traffic from taking another way. Where that fails, it is tried again each minute.
func (s *Session) reopenDevice() {
	s.announceAgain = true
	link := *s.announced
	if err := s.openDevice(link.MTU); err != nil {
		s.cfg.Log(config.LogError, "the device %s is gone and cannot be made again: %v", link.Device, err)
		return
	}
	s.startRefusing()
	if !s.telling {
		s.tell(0, s.agreed)
	}
}

// surrender ends the tries to call while the link stays announced: options authfail and maxfail say when to stop calling,
// and hold 'forever' says that traffic must not take another way for that. The user's wish ends it (see Reconnect).
func (s *Session) surrender(now time.Time, err *fault.Error) {
	s.surrendered = true
	s.next, s.refusal = 0, nil
	s.update(func(st *Status) { st.NextRetry = time.Time{} })
	s.setState(now, Holding, "no more calls after "+string(err.Code)+"; what enters the tunnel is refused until somebody reconnects it")
}
