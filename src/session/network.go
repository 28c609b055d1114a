package session

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"sstp/src/auth"
	"sstp/src/config"
	"sstp/src/fault"
)

// jobLimit bounds one call of Host. netifd of old releases may have to be told of a link twenty times, 250 ms apart.
const jobLimit = 8 * time.Second

// maxPictures is how often the network is told of one call. A call that lasts months may need a few; a server that
// negotiates without end must not keep the machine's network busy.
const maxPictures = 32

// establish brings the device and the network to what the call agreed on.
func (s *Session) establish(now time.Time) {
	c := s.call
	c.agreed = false
	if outer := c.conn.Info().Server.Addr().Unmap(); c.ipv4.Local == outer {
		s.refuse(now, fault.New(fault.NoAddress, fault.StageNetwork,
			fmt.Sprintf("The server gave us the address %v, which is its own outside of the tunnel.", outer)))
		return
	}
	mtu := min(c.mtu, c.joiner.PeerMRU())
	if err := s.openDevice(mtu); err != nil {
		s.refuse(now, fault.Of(err, fault.TUNFailed, fault.StageNetwork))
		return
	}
	c.inUse = true
	link := s.linkOf(c, mtu)
	if s.announced != nil && sameNetwork(s.agreed, link) && !s.announceAgain {
		same := *s.announced // with what was left out of it
		same.Server, same.Info = link.Server, link.Info
		s.announced = &same
		s.linkUp(now)
		s.wantCheck() // while it was lost nobody may have kept it as it was
		return
	}
	if c.pictures++; c.pictures > maxPictures {
		s.refuse(now, fault.New(fault.PPPNegotiationFailed, fault.StageNetwork, "The server keeps changing the addresses."))
		return
	}
	s.tell(c.id, link)
}

// tell queues the announcement of a link, for the call with the given number; 0: for none.
func (s *Session) tell(id int, agreed Link) {
	s.telling = true
	s.job(func(ctx context.Context) event { return s.announce(ctx, id, agreed) })
}

// announce checks what the call agreed on against the machine's surroundings of this moment, and tells the network.
func (s *Session) announce(ctx context.Context, id int, agreed Link) appliedEvent {
	var around Surroundings
	if s.cfg.Surroundings != nil {
		var err error
		if around, err = s.cfg.Surroundings(ctx); err != nil {
			s.cfg.Log(config.LogWarn, "the machine's own addresses are not known, so those of the server are not compared with them: %v", err)
		}
	}
	link, warnings, refused := vet(agreed, around)
	if refused != nil {
		return appliedEvent{id: id, err: refused}
	}
	return appliedEvent{id, link, agreed, warnings, s.cfg.Host.Up(ctx, link)}
}

// refuse ends the running call for a reason of ours.
func (s *Session) refuse(now time.Time, err *fault.Error) {
	s.do(s.call.joiner.Hangup(now, "", err))
}

func (s *Session) linkOf(c *call, mtu int) Link {
	info := c.conn.Info()
	l := Link{
		Device: s.device.Name(), MTU: mtu, Server: info.Server.Addr().Unmap(), Info: info,
		Local: c.ipv4.Local, Peer: c.ipv4.Peer, DNS: c.ipv4.DNS,
	}
	if l.Peer == l.Server || l.Peer == l.Local {
		l.Peer = netip.Addr{} // a route to it by the tunnel would take along the packets that carry the tunnel
	}
	if c.ipv6 != nil && mtu >= minIPv6MTU { // the server may take less than we offered
		l.Local6, l.Peer6 = c.ipv6.Local, c.ipv6.Peer
	}
	return l
}

// sameNetwork says whether the machine's network would look the same: then it need not hear of the new call, and what
// runs through the tunnel lives on.
func sameNetwork(a, b Link) bool {
	return a.Device == b.Device && a.MTU == b.MTU && a.Local == b.Local && a.Peer == b.Peer &&
		a.Local6 == b.Local6 && slices.Equal(a.DNS, b.DNS)
}

func (s *Session) openDevice(mtu int) error {
	if s.device != nil {
		return s.device.SetMTU(mtu)
	}
	d, err := s.cfg.OpenDevice(s.cfg.Tunnel.Device(), mtu)
	if err != nil {
		return err
	}
	s.device = d
	s.update(func(st *Status) { st.Device = d.Name() })
	return nil
}

func (s *Session) closeDevice() {
	if s.device == nil {
		return
	}
	s.stopRefusing()
	s.device.Close()
	s.device = nil
	s.update(func(st *Status) { st.Device = "" })
}

// applied takes the network's answer to Up.
func (s *Session) applied(now time.Time, e appliedEvent) {
	s.telling = false
	current := s.call != nil && s.call.id == e.id
	if e.err != nil {
		if current {
			s.refuse(now, fault.Of(e.err, fault.NetifdRefused, fault.StageNetwork))
		} else if s.announced == nil && s.call == nil {
			s.closeDevice()
		}
		return
	}
	s.announced, s.agreed, s.announceAgain = &e.link, e.agreed, false
	s.leftOut(now, e.warnings)
	s.checkWanted = true
	switch {
	case current && !s.call.joiner.Ending():
		if v4 := s.call.ipv4; v4 != nil && v4.Local == e.link.Local { // not when other addresses were agreed on since
			s.linkUp(now)
		}
	case s.call == nil && s.stopAt.IsZero():
		s.hold(now) // the call was lost while the network was told of it
	}
}

// leftOut shows what of the server's addresses is not used.
func (s *Session) leftOut(now time.Time, warnings []string) {
	for _, w := range warnings {
		if !slices.Contains(s.status.AddressWarnings, w) {
			s.cfg.Log(config.LogWarn, "%s", w)
			s.note(Entry{Time: now, State: s.status.State, Text: w})
		}
	}
	s.update(func(st *Status) { st.AddressWarnings = warnings })
}

// linkUp lets the packets flow.
func (s *Session) linkUp(now time.Time) {
	c, l := s.call, s.announced
	s.stopRefusing()
	c.pumps.Open(s.device, l.MTU, true, l.Local6.IsValid())
	s.holdUntil = time.Time{}
	first := c.upSince.IsZero()
	if first {
		c.upSince, c.pingAt = now, now.Add(time.Second)
		s.backoff.succeeded()
		s.prefer(c.server)
	}
	s.update(func(st *Status) {
		st.Device, st.MTU, st.Local, st.Peer, st.DNS = l.Device, l.MTU, l.Local, l.Peer, l.DNS
		st.Local6, st.Peer6 = l.Local6, l.Peer6
		st.UpSince, st.Attempt = c.upSince, 0
	})
	text := fmt.Sprintf("%v on %s, MTU %d", l.Local, l.Device, l.MTU)
	if l.Local6.IsValid() {
		text += fmt.Sprintf(", %v", l.Local6)
	}
	if first || s.status.State != Up {
		s.setState(now, Up, text)
	}
}

// letGo takes the device and the addresses away: no call came up in time.
func (s *Session) letGo(now time.Time) {
	s.holdUntil = time.Time{}
	if s.announced == nil {
		return
	}
	s.withdraw()
	s.update(func(st *Status) {
		st.Local, st.Peer, st.Local6, st.Peer6 = Link{}.Local, Link{}.Peer, Link{}.Local6, Link{}.Peer6
		st.DNS, st.MTU, st.Reach, st.AddressWarnings = nil, 0, Reach{}, nil
	})
	if s.status.State == Holding {
		s.setState(now, Waiting, "no call came up in time: addresses and device given up")
	}
}

// withdraw tells the network that the link is gone, and then closes the device unless a new call has taken it.
func (s *Session) withdraw() {
	s.announced, s.announceAgain = nil, false
	s.checkWanted, s.checkAt = false, time.Time{}
	s.job(func(ctx context.Context) event {
		if err := s.cfg.Host.Down(ctx); err != nil {
			s.cfg.Log(config.LogWarn, "taking the link down: %v", err)
		}
		return withdrawnEvent{}
	})
}

// withdrawn closes the device after the network let it go.
func (s *Session) withdrawn() {
	if s.announced == nil && (s.call == nil || !s.call.inUse) {
		s.closeDevice()
	}
}

// callOver cleans up after a call and decides what comes next. err is nil where the call was ended by our wish; by is who
// brought the end about.
func (s *Session) callOver(now time.Time, err *fault.Error, by fault.Party) {
	c := s.call
	s.call = nil
	c.conn.Close()
	close(c.quit)
	c.pumps.Stop()
	c.joiner.Close()
	s.mu.Lock()
	s.counted = addCounters(s.counted, c.pumps.Counters())
	s.pumps = nil
	s.mu.Unlock()
	s.update(func(st *Status) { st.UpSince = time.Time{} })
	if !s.stopAt.IsZero() {
		return
	}
	if s.announced == nil && !s.applying {
		s.closeDevice()
	}
	if c.upSince.IsZero() {
		s.callRefused(now, c, err)
		return
	}
	s.update(func(st *Status) { st.Reconnects++ })
	if err != nil {
		s.failed(now, err)
	}
	if err != nil && err.Code == fault.TUNFailed {
		s.deviceLost(now)
	} else {
		s.hold(now)
	}
	s.wait(now, s.backoff.lost(now.Sub(c.upSince), endingOf(err, by), s.patience(), jitter()))
}

// callRefused decides what follows a call that did not come up.
func (s *Session) callRefused(now time.Time, c *call, err *fault.Error) {
	if err == nil {
		s.wait(now, 0) // somebody wanted a new call
		return
	}
	if info := c.conn.Info(); err.Code == fault.AuthMethodRefused && withholds(s.cfg.Tunnel, info) {
		err = explainWithheld(s.cfg.Tunnel, info, err)
	}
	// Windows was seen to bind EAP-MSCHAPv2 with empty keys, by definition they are the login's. Only a server that
	// proved who it is may make us try the weaker form, once.
	server := c.server.String()
	if err.Code == fault.CryptoBindingFailed && c.method == auth.EAPMSCHAPv2 && c.verified {
		s.emptyKeys[server] = !s.emptyKeys[server] // what did not help is not kept
		if s.emptyKeys[server] {
			s.cfg.Log(config.LogInfo, "%s: %s Trying once with empty keys, as some servers expect for EAP-MSCHAPv2.", err.Code, err.Message)
			s.dial(now) // the same server: the others had their turn in this round
			return
		}
	}
	s.callFailed(now, err)
}

// dropCall ends a goodbye that takes too long, and everything else that stopping still waits for.
func (s *Session) dropCall() {
	if s.call != nil {
		s.do(s.call.joiner.Break(nil))
	}
	if s.cancelJob != nil {
		s.cancelJob()
	}
}

// job queues a call of Host; they run one at a time, in order.
func (s *Session) job(f func(context.Context) event) {
	s.jobs = append(s.jobs, f)
	s.runJobs()
}

func (s *Session) runJobs() {
	if s.applying {
		return
	}
	var f func(context.Context) event
	switch {
	case len(s.jobs) > 0:
		f = s.jobs[0]
		s.jobs = s.jobs[1:]
	case s.checkWanted && s.announced != nil:
		f = s.check(time.Now())
	default:
		return
	}
	s.applying = true
	ctx, cancel := context.WithTimeout(context.Background(), jobLimit)
	s.cancelJob = cancel
	go func() {
		defer cancel()
		s.post(f(ctx))
	}()
}
