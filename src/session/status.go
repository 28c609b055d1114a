package session

import (
	"time"

	"sstp/src/datapath"
	"sstp/src/fault"
	"sstp/src/phrase"
	"sstp/src/reach"
	"sstp/src/status"
	"sstp/src/text"
	"sstp/src/transport"
	"sstp/src/transport/trust"
)

// The types in which a session reports on its tunnel.
type (
	Status  = status.Status
	State   = status.State
	RTT     = status.RTT
	Entry   = status.Event
	Reach   = reach.Report
	Finding = reach.Finding
)

// The states of a tunnel. A call passes through them in this order; the last three are outside of a call.
const (
	Starting   State = "starting"   // nothing has been tried yet
	Resolving  State = "resolving"  // the server's name is being looked up
	Connecting State = "connecting" // TCP to the server or the proxy, and the proxy's CONNECT
	TLS        State = "tls"        // TLS handshake and the server's certificate
	SSTP       State = "sstp"       // the HTTP opening and the SSTP call request
	Auth       State = "auth"       // PPP's link and the login
	Network    State = "network"    // addresses are agreed and given to the machine
	Up         State = "up"         // packets flow
	Waiting    State = "waiting"    // the last call failed; the next is at a known time
	Holding    State = "holding"    // the call was lost, the device and its addresses are kept while it is dialed again
	Stopping   State = "stopping"   // goodbye is being said
)

// historyLen is the number of events that History returns at most.
const historyLen = 32

// Status returns the present picture of the tunnel. It may be called from any goroutine.
func (s *Session) Status() Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	st, c := s.status, s.counted
	if s.doubts != s.settled {
		st.Reach = Reach{}
	}
	if s.pumps != nil {
		c = addCounters(c, s.pumps.Counters())
	}
	if s.refuser != nil {
		c.TxDropped += s.refuser.Refused()
	}
	st.Counters = status.Counters{
		RxBytes: c.RxBytes, TxBytes: c.TxBytes, RxPackets: c.RxPackets, TxPackets: c.TxPackets, RxDropped: c.RxDropped, TxDropped: c.TxDropped,
	}
	switch st.State {
	case SSTP, Auth, Network, Up:
	default: // no call runs
		st.ServerAddress, st.Proxy, st.TLS = "", "", nil
		st.Auth, st.CryptoBinding, st.RTT = "", phrase.Phrase{}, RTT{}
	}
	return st
}

// maxName is the number of characters of a certificate's name that the status shows.
const maxName = 300

// begin describes the connection of a call that begins.
func begin(st *Status, info transport.Info) {
	st.ServerAddress, st.Proxy = info.Server.String(), info.Proxy
	st.Auth, st.CryptoBinding, st.RTT = "", phrase.Phrase{}, RTT{}
	leaf := info.Leaf
	st.TLS = &status.TLS{
		Version: info.TLSVersion, Cipher: info.CipherSuite, Path: info.Path, PathReason: info.PathReason, VerifiedBy: info.VerifiedBy,
		Subject: text.Show(leaf.Subject.String(), maxName), Issuer: text.Show(leaf.Issuer.String(), maxName), NotAfter: leaf.NotAfter,
		Fingerprint: trust.Fingerprint(leaf),
	}
}

// History returns the last events, oldest first. It may be called from any goroutine.
func (s *Session) History() []Entry {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Entry(nil), s.history...)
}

func addCounters(a, b datapath.Counters) datapath.Counters {
	a.RxBytes += b.RxBytes
	a.TxBytes += b.TxBytes
	a.RxPackets += b.RxPackets
	a.TxPackets += b.TxPackets
	a.RxDropped += b.RxDropped
	a.TxDropped += b.TxDropped
	a.StreamRxBytes += b.StreamRxBytes
	return a
}

// update changes the picture under its lock.
func (s *Session) update(change func(*Status)) {
	s.mu.Lock()
	change(&s.status)
	s.mu.Unlock()
}

// setState moves the tunnel to a state, notes it in the history and tells the observer.
func (s *Session) setState(now time.Time, state State, text phrase.Phrase) {
	s.update(func(st *Status) {
		if st.State != state {
			st.State, st.Since = state, now
		}
	})
	s.record(Entry{Time: now, State: state, Phrase: text})
	if s.cfg.Changed != nil {
		s.cfg.Changed(s.Status(), text.Text)
	}
}

// note adds to the history what happened in the present state.
func (s *Session) note(now time.Time, text phrase.Phrase) {
	s.record(Entry{Time: now, State: s.status.State, Phrase: text})
}

// record appends to the history.
func (s *Session) record(e Entry) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.history) == historyLen {
		s.history = append(s.history[:0:0], s.history[1:]...)
	}
	s.history = append(s.history, e)
}

// showProgress moves the state along while a server is called. While the device of a lost call is held, the state stays
// Holding.
func (s *Session) showProgress(now time.Time, stage fault.Stage) {
	if s.network.holds() || s.phase == phaseStopping {
		return
	}
	var state State
	var text phrase.Phrase
	switch server := s.status.Server; stage {
	case fault.StageResolve:
		state, text = Resolving, phrase.Of("looking up %s", server)
	case fault.StageConnect, fault.StageProxy:
		state, text = Connecting, phrase.Of("connecting to %s", server)
	case fault.StageTLS:
		state, text = TLS, phrase.Of("TLS with %s", server)
	case fault.StageHTTP, fault.StageSSTP:
		state, text = SSTP, phrase.Of("opening the SSTP call")
	case fault.StageAuth:
		state, text = Auth, phrase.Of("logging in")
	case fault.StageNetwork:
		state, text = Network, phrase.Of("agreeing on addresses")
	}
	if state != "" && state != s.status.State {
		s.setState(now, state, text)
	}
}
