package session

import (
	"net/netip"
	"time"

	"sstp/src/config"
	"sstp/src/datapath"
	"sstp/src/fault"
	"sstp/src/transport"
)

// Status is a consistent picture of a tunnel at one moment. It holds no secret.
type Status struct {
	Interface     string
	State         State
	Since         time.Time // of State
	Server        string    // as configured, host:port of the server in use or tried last
	Attempt       int       // number of the call since the tunnel was last up
	NextRetry     time.Time // zero unless State is Waiting, or Holding between two calls
	Info          transport.Info
	Auth          string // method, "" before the login
	CryptoBinding string // "SHA-256 with the login's keys", "SHA-256 without keys", "" before it
	Device        string
	MTU           int
	Local, Peer   netip.Addr
	DNS           []netip.Addr
	Local6, Peer6 netip.Addr
	Reach         Reach     // zero while nothing is announced to the machine's network
	UpSince       time.Time // zero while not up
	RTT           RTT
	Counters      datapath.Counters // since the device was made; outlive a lost call
	Reconnects    int
	LastError     *fault.Error
	LastErrorTime time.Time
	Warnings      []config.Warning
	// AddressWarnings says in sentences what of the server's addresses is not used, and why.
	AddressWarnings []string
}

// RTT sums up the round trips measured by LCP echoes of the running call. All are zero before the first answer.
type RTT struct {
	Last, Min, Avg, Max time.Duration
	samples             int
	sum                 time.Duration
}

func (r *RTT) add(d time.Duration) {
	r.Last = d
	if r.samples == 0 || d < r.Min {
		r.Min = d
	}
	r.Max = max(r.Max, d)
	r.samples++
	r.sum += d
	r.Avg = r.sum / time.Duration(r.samples)
}

// historyLen is the number of events that History returns at most.
const historyLen = 32

// Entry is one line of a tunnel's history.
type Entry struct {
	Time  time.Time
	State State
	Code  fault.Code // "" where nothing failed
	Text  string
}

// Status returns the tunnel's picture of now. It may be called from any goroutine.
func (s *Session) Status() Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.status
	st.Counters = s.counted
	if s.pumps != nil {
		st.Counters = addCounters(st.Counters, s.pumps.Counters())
	}
	if s.refuser != nil {
		st.Counters.TxDropped += s.refuser.Refused()
	}
	return st
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
func (s *Session) setState(now time.Time, state State, text string) {
	s.update(func(st *Status) {
		if st.State != state {
			st.State, st.Since = state, now
		}
	})
	s.note(Entry{Time: now, State: state, Text: text})
	if s.cfg.Changed != nil {
		s.cfg.Changed(s.Status(), text)
	}
}

// note appends to the history.
func (s *Session) note(e Entry) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.history) == historyLen {
		s.history = append(s.history[:0:0], s.history[1:]...)
	}
	s.history = append(s.history, e)
}
