package transport

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"sstp/src/config"
	"sstp/src/fault"
	"sstp/src/phrase"
	"sstp/src/text"
	"sstp/src/transport/netio"
)

// stagger is how long an address is tried alone before the next one is tried too: RFC 8305's Connection Attempt Delay.
const stagger = 250 * time.Millisecond

// attempt is an attempt to connect to one address.
type attempt struct {
	addr   netip.AddrPort
	device string
	conn   net.Conn
	err    error
}

// dial connects to the first of addrs that answers (RFC 8305 section 5). When it returns, all other attempts have ended and
// their connections are closed.
func (c *connector) dial(ctx context.Context, target config.Server, addrs []netip.Addr) (net.Conn, phrase.Phrase, error) {
	dialing, cancel := context.WithCancel(ctx)
	defer cancel()
	results := make(chan attempt)
	next := time.NewTimer(0)
	defer next.Stop()
	var failed []attempt
	waiting, pending := addrs, 0
	for len(waiting) > 0 || pending > 0 {
		due := next.C
		if len(waiting) == 0 {
			due = nil
		}
		select {
		case <-due:
			a := attempt{addr: netip.AddrPortFrom(waiting[0], target.Port), device: c.o.BindDevice}
			waiting = waiting[1:]
			if a.err = c.prepare(dialing, &a); a.err != nil {
				failed = append(failed, a)
				next.Reset(0)
				continue
			}
			pending++
			go func() {
				a.conn, a.err = c.dialTCP(dialing, a.addr, a.device)
				results <- a
			}()
			next.Reset(stagger)
		case a := <-results:
			pending--
			if a.err == nil {
				cancel()
				for range pending {
					if late := <-results; late.err == nil {
						late.conn.Close()
					}
				}
				c.dialed, c.device = a.addr, a.device
				return a.conn, phrase.Foreign(a.addr.String() + c.congestionNote(a.conn)), nil
			}
			failed = append(failed, a)
			if ctx.Err() != nil {
				waiting = nil
			}
			next.Reset(0)
		case <-ctx.Done():
			waiting = nil
			for range pending {
				a := <-results
				if a.err == nil {
					a.conn.Close()
					a.err = ctx.Err()
				}
				failed = append(failed, a)
			}
			pending = 0
		}
	}
	return nil, phrase.Phrase{}, dialFault(target, failed)
}

// prepare calls Options.Prepare for an address that is about to be dialed.
func (c *connector) prepare(ctx context.Context, a *attempt) error {
	if c.o.Prepare == nil {
		return nil
	}
	device, err := c.o.Prepare(ctx, a.addr.Addr())
	if device != "" {
		a.device = device
	}
	return err
}

// dialTCP opens one TCP connection.
func (c *connector) dialTCP(ctx context.Context, addr netip.AddrPort, device string) (net.Conn, error) {
	if c.o.DialTCP != nil {
		return c.o.DialTCP(ctx, addr)
	}
	awaitSource(ctx, addr, device)
	d := socketDialer(device, c.o.Congestion, c.o.Mark)
	conn, err := d.DialTCP(ctx, "tcp", netip.AddrPort{}, addr)
	if err != nil {
		return nil, err // not conn: a nil *net.TCPConn is not a nil net.Conn
	}
	socket, err := NewRawConn(conn)
	if err != nil {
		conn.Close()
		return nil, err
	}
	return socket, nil
}

// redial closes conn and returns a new connection to the same address, or on failure conn.
func (c *connector) redial(ctx context.Context, conn net.Conn) (net.Conn, error) {
	conn.Close()
	fresh, err := c.dialTCP(ctx, c.dialed, c.device)
	if err != nil {
		return conn, err
	}
	return fresh, nil
}

// dialFault sums up the failed attempts. An answer says more than silence, and silence says more than a route that is missing
// for one address family.
func dialFault(target config.Server, failed []attempt) error {
	var answered, silent, elsewhere bool
	var cause error
	var prepared *fault.Error
	var reasons []string
	for _, a := range failed {
		var own *fault.Error
		switch {
		case errors.As(a.err, &own):
			if prepared == nil {
				prepared = own
			}
			reasons = append(reasons, a.addr.Addr().String()+": "+strings.TrimSuffix(own.Message, "."))
			continue
		case netio.IsTimeout(a.err):
			silent = true
		case isUnroutable(a.err):
		case errors.Is(a.err, unix.ECONNREFUSED), errors.Is(a.err, unix.EHOSTUNREACH), errors.Is(a.err, unix.ECONNRESET):
			answered = true
		default:
			elsewhere = true
		}
		cause = a.err
		reasons = append(reasons, a.addr.Addr().String()+" "+dialReason(a.err, a.device))
	}
	const most = 4
	if len(reasons) > most {
		reasons = append(reasons[:most], "and so on")
	}
	code := fault.NoUplink
	switch {
	case answered, elsewhere && !silent:
		code = fault.ConnectFailed
	case silent, len(failed) == 0:
		code = fault.ConnectTimeout
	case prepared != nil:
		return prepared
	}
	return fault.Newf(code, fault.StageConnect, "No connection to %s: %s.", text.Phrase(target.String()), strings.Join(reasons, "; ")).Wrap(cause)
}

// dialReason returns why an address failed, as the end of a sentence that begins with the address.
func dialReason(err error, device string) string {
	switch {
	case netio.IsTimeout(err):
		return "did not answer"
	case errors.Is(err, unix.ECONNREFUSED):
		return "refused the connection"
	case errors.Is(err, unix.EHOSTUNREACH):
		return "cannot be reached"
	case errors.Is(err, unix.ENETUNREACH), errors.Is(err, unix.EADDRNOTAVAIL):
		return "cannot be reached: there is no route"
	case errors.Is(err, unix.ENODEV):
		return "is to be reached by the device " + text.Phrase(device) + ", which does not exist"
	}
	var op *net.OpError
	if errors.As(err, &op) {
		err = op.Err
	}
	return "failed: " + text.Phrase(err.Error())
}

// isUnroutable reports whether this machine has no route to the address.
func isUnroutable(err error) bool {
	return errors.Is(err, unix.ENETUNREACH) || errors.Is(err, unix.ENODEV) || errors.Is(err, unix.EADDRNOTAVAIL)
}
