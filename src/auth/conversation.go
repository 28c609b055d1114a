package auth

import (
	"time"

	"sstp/src/fault"
)

// The usual limits.
const (
	defaultTimeout     = 60 * time.Second
	defaultFragmentLen = 1024 // fits every MRU in use with EAP's and EAP-TLS' headers
	maxFragmentLen     = 4077 // an SSTP packet's 4091 less the headers of PPP (4), EAP (5) and EAP-TLS (5)
	restartInterval    = 3 * time.Second
	maxTransmissions   = 10
)

// protocol is one role in one authentication protocol. It reports each success: conversation lets the first one pass.
type protocol interface {
	start(now time.Time) []Action
	receive(now time.Time, packet []byte) []Action
	advance(now time.Time) []Action // due when deadline has come
	deadline() time.Time            // zero: none
	note() string                   // why the last packet was ignored; empty: none was
	close()
}

// conversation is what both roles have in common: the time limit, and that success and failure come once.
type conversation struct {
	lcp       LCPAuth
	other     string // "server" or "client"
	timeout   time.Duration
	proto     protocol
	refusal   *fault.Error // why the conversation must not even begin; nil: it may
	unasked   bool         // nobody asks for anything: Start is the success
	limit     time.Time    // zero: not started, or over
	heard     time.Time    // when the last packet came
	succeeded bool
	closed    bool
}

func (c *conversation) start(now time.Time) []Action {
	switch {
	case c.closed || !c.heard.IsZero():
		return nil
	case c.refusal != nil:
		return c.filter([]Action{fail(c.refusal)})
	case c.unasked:
		return c.filter([]Action{{Kind: Success}})
	}
	c.heard, c.limit = now, now.Add(c.timeout)
	return c.filter(c.proto.start(now))
}

func (c *conversation) receive(now time.Time, packet []byte) []Action {
	if c.closed || c.proto == nil {
		return nil
	}
	c.heard = now
	return c.filter(c.proto.receive(now, packet))
}

func (c *conversation) advance(now time.Time) []Action {
	if c.closed || c.proto == nil {
		return nil
	}
	if !c.limit.IsZero() && !now.Before(c.limit) {
		if now.Sub(c.heard) >= c.timeout/2 {
			return c.filter([]Action{fail(silent(c.other, c.lcp))})
		}
		return c.filter([]Action{fail(endless(c.lcp, c.timeout, c.proto.note()))})
	}
	if d := c.proto.deadline(); d.IsZero() || now.Before(d) {
		return nil
	}
	return c.filter(c.proto.advance(now))
}

func (c *conversation) deadline() time.Time {
	if c.closed || c.proto == nil {
		return time.Time{}
	}
	d := c.proto.deadline()
	if d.IsZero() || !c.limit.IsZero() && c.limit.Before(d) {
		return c.limit
	}
	return d
}

// filter lets the first success pass, and nothing after a failure.
func (c *conversation) filter(do []Action) []Action {
	out := do[:0]
	for _, a := range do {
		if a.Kind == Success {
			if c.succeeded {
				continue
			}
			c.succeeded, c.limit = true, time.Time{}
		}
		out = append(out, a)
		if a.Kind == Failure {
			c.close()
			break
		}
	}
	return out
}

func (c *conversation) close() {
	if c.closed {
		return
	}
	c.closed = true
	if c.proto != nil {
		c.proto.close()
	}
}

// orCounter returns the counter of Ids to use.
func orCounter(next func() uint8) func() uint8 {
	if next != nil {
		return next
	}
	var id uint8
	return func() uint8 { id++; return id }
}

// orFragmentLen returns the length of fragments to use.
func orFragmentLen(n int) int {
	if n <= 0 {
		return defaultFragmentLen
	}
	return min(n, maxFragmentLen)
}

// has reports whether the methods contain m.
func has(methods []Method, m Method) bool {
	for _, have := range methods {
		if have == m {
			return true
		}
	}
	return false
}
