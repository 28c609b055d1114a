package session

import (
	"context"
	"net/netip"
	"slices"
	"strconv"
	"time"

	"sstp/src/config"
	"sstp/src/fault"
	"sstp/src/phrase"
)

// maxAnnouncements is how often the network is told of one call. A call that lasts months may need a few; a server that
// negotiates without end must not keep the machine's network busy.
const maxAnnouncements = 32

// announcer knows what the machine's network was told of the tunnel.
type announcer struct {
	state  announcerState
	link   *Link // what the network was told last and has not been told to forget; nil: nothing
	agreed Link  // what link was made from
	again  bool  // the network hears of the next call even if its link looks the same

	checkWanted bool      // the kernel is to be looked at
	checkAt     time.Time // when that happens at the latest; zero: no link is announced
}

// announcerState is where the announcer stands.
type announcerState uint8

const (
	announcerIdle        announcerState = iota // the network knows of no link
	announcerTelling                           // Host.Up is queued or under way; a link that was announced before still stands
	announcerUp                                // the network has the link
	announcerWithdrawing                       // Host.Down is queued or under way
)

// telling reports whether the network is just being told of a link. There is never more than one such call of Host.
func (a *announcer) telling() bool { return a.state == announcerTelling }

// holds reports whether the network has a link, be it the one of a call that was lost.
func (a *announcer) holds() bool { return a.link != nil }

// told notes that Host.Up returned. link is nil where it failed; the link that was announced before then still stands.
func (a *announcer) told(link *Link, agreed Link) {
	if link != nil {
		a.link, a.agreed, a.again, a.checkWanted = link, agreed, false, true
	}
	a.state = announcerIdle
	if a.link != nil {
		a.state = announcerUp
	}
}

// forget notes that Host.Down was queued.
func (a *announcer) forget() { *a = announcer{state: announcerWithdrawing} }

// forgotten notes that Host.Down returned.
func (a *announcer) forgotten() {
	if a.state == announcerWithdrawing { // else the next link is being announced already
		a.state = announcerIdle
	}
}

// establish brings the device and the network to what the call agreed on.
func (s *Session) establish(now time.Time) {
	c := s.call
	c.agreed = false
	if outer := c.conn.Info().Server.Addr().Unmap(); c.ipv4.Local == outer {
		c.refuse(now, fault.Newf(fault.NoAddress, fault.StageNetwork,
			"The server gave us the address %s, which is its own outside of the tunnel.", outer.String()))
		return
	}
	mtu := min(c.mtu, c.joiner.PeerMRU())
	if err := s.openDevice(mtu); err != nil {
		c.refuse(now, fault.Of(err, fault.TUNFailed, fault.StageNetwork))
		return
	}
	c.usesDevice = true
	link := s.linkOf(c, mtu)
	if n := &s.network; n.holds() && sameNetwork(n.agreed, link) && !n.again {
		same := *n.link // without the addresses that vetting left out
		same.Server, same.Info = link.Server, link.Info
		n.link = &same
		s.linkUp(now)
		s.wantCheck() // something may have changed it while the call was lost
		return
	}
	if c.announcements++; c.announcements > maxAnnouncements {
		c.refuse(now, fault.New(fault.PPPNegotiationFailed, fault.StageNetwork, "The server keeps changing the addresses."))
		return
	}
	s.announce(c.id, link)
}

// linkOf returns the link that the call agreed on.
func (s *Session) linkOf(c *call, mtu int) Link {
	info := c.conn.Info()
	l := Link{
		Device: s.hold.device.Name(), MTU: mtu, Server: info.Server.Addr().Unmap(), Info: info,
		Local: c.ipv4.Local, Peer: c.ipv4.Peer, DNS: c.ipv4.DNS,
	}
	if l.Peer == l.Server || l.Peer == l.Local {
		l.Peer = netip.Addr{} // a route to it through the tunnel would catch the packets that carry the tunnel
	}
	if c.ipv6 != nil && mtu >= minIPv6MTU { // the server may take less than we offered
		l.Local6, l.Peer6 = c.ipv6.Local, c.ipv6.Peer
	}
	return l
}

// sameNetwork reports whether the machine's network looks the same with both links. It need not hear of the second one
// then, and the connections through the tunnel live on.
func sameNetwork(a, b Link) bool {
	return a.Device == b.Device && a.MTU == b.MTU && a.Local == b.Local && a.Peer == b.Peer &&
		a.Local6 == b.Local6 && slices.Equal(a.DNS, b.DNS)
}

// announce queues the announcement of a link for the call with the given number; 0: for none.
func (s *Session) announce(id int, agreed Link) {
	s.network.state = announcerTelling
	s.askHost(func(ctx context.Context) event {
		var around Surroundings
		if s.cfg.Surroundings != nil {
			var err error
			if around, err = s.cfg.Surroundings(ctx); err != nil {
				s.cfg.Log(config.LogWarn, "this machine's addresses are unknown, so the server's addresses are not compared with them: %v", err)
			}
		}
		link, warnings, refused := vet(agreed, around)
		if refused != nil {
			return announcedEvent{id: id, err: refused}
		}
		return announcedEvent{id, link, agreed, warnings, s.cfg.Host.Up(ctx, link)}
	})
}

// takeAnswer notes the network's answer to Up and reports whether the network took the link.
func (s *Session) takeAnswer(now time.Time, e announcedEvent) bool {
	if e.err != nil {
		s.network.told(nil, Link{})
		return false
	}
	s.network.told(&e.link, e.agreed)
	s.noteLeftOut(now, e.warnings)
	return true
}

// announced follows the answer of the network while there is a call.
func announced(s *Session, now time.Time, ev event) {
	e := ev.(announcedEvent)
	took, current := s.takeAnswer(now, e), s.call.id == e.id
	switch {
	case !current:
	case !took:
		s.call.refuse(now, fault.Of(e.err, fault.NetifdRefused, fault.StageNetwork))
	case s.call.joiner.Ending():
	case s.call.ipv4 != nil && s.call.ipv4.Local == e.link.Local: // else other addresses were agreed on since
		s.linkUp(now)
	}
}

// announcedWithoutCall follows the answer of the network after the call was lost.
func announcedWithoutCall(s *Session, now time.Time, ev event) {
	switch took := s.takeAnswer(now, ev.(announcedEvent)); {
	case took:
		s.holdDevice(now)
	case !s.network.holds():
		s.closeDevice()
	}
}

// announcedTooLate follows the answer of the network while stopping, which takes back what it took.
func announcedTooLate(s *Session, now time.Time, ev event) { s.takeAnswer(now, ev.(announcedEvent)) }

// noteLeftOut shows which of the server's addresses are not used.
func (s *Session) noteLeftOut(now time.Time, warnings []string) {
	for _, w := range warnings {
		if !slices.Contains(s.status.AddressWarnings, w) {
			s.cfg.Log(config.LogWarn, "%s", w)
			s.note(now, phrase.Foreign(w))
		}
	}
	s.update(func(st *Status) { st.AddressWarnings = warnings })
}

// linkUp lets the packets flow.
func (s *Session) linkUp(now time.Time) {
	c, l := s.call, s.network.link
	s.stopRefusing()
	c.pumps.Open(s.hold.device, l.MTU, true, l.Local6.IsValid())
	s.hold.until = time.Time{}
	first := s.phase == phaseCalling
	if first {
		s.enter(phaseUp)
		c.upSince, c.pingAt = now, now.Add(time.Second)
		s.backoff.succeeded()
		s.servers.prefer(c.server)
	}
	s.update(func(st *Status) {
		st.Device, st.MTU, st.Local, st.Peer, st.DNS = l.Device, l.MTU, l.Local, l.Peer, l.DNS
		st.Local6, st.Peer6 = l.Local6, l.Peer6
		st.UpSince, st.Attempt = c.upSince, 0
	})
	if !first && s.status.State == Up {
		return
	}
	text := phrase.Of("%s on %s, MTU %s", l.Local.String(), l.Device, strconv.Itoa(l.MTU))
	if l.Local6.IsValid() {
		text = phrase.Of("%s on %s, MTU %s, %s", l.Local.String(), l.Device, strconv.Itoa(l.MTU), l.Local6.String())
	}
	s.setState(now, Up, text)
}

// withdraw tells the network that the link is gone.
func (s *Session) withdraw() {
	s.network.forget()
	s.askHost(func(ctx context.Context) event {
		if err := s.cfg.Host.Down(ctx); err != nil {
			s.cfg.Log(config.LogWarn, "taking the link down: %v", err)
		}
		return noteEvent{what: evWithdrawn}
	})
}

// withdrawn closes the device after the network let it go, unless a new call has taken it.
func withdrawn(s *Session, _ time.Time, _ event) {
	s.network.forgotten()
	if s.network.state == announcerIdle && (s.call == nil || !s.call.usesDevice) {
		s.closeDevice()
	}
}
