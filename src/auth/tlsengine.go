package auth

import (
	"crypto/tls"
	"encoding/binary"
	"errors"
	"io"
	"iter"
	"net"
	"time"
)

var (
	errStopped      = errors.New("the authentication was given up")
	errNoCommitment = errors.New("the server went on after the handshake without its success indication (RFC 9190 section 2.1.1)")
	errNoEMS        = errors.New("TLS 1.2 without extended master secret (RFC 7627)")
)

// engine runs one crypto/tls handshake as a coroutine: step hands it what the other side sent and returns its answer. It
// waits for nothing else, so it needs no goroutine.
type engine struct {
	in, out []byte
	resume  func() (struct{}, bool)
	stop    func()
	yield   func(struct{}) bool
	stopped bool

	done bool
	err  error    // set when done: why it failed
	hlak [32]byte // set when done without err
}

// tlsSide is crypto/tls's constructor of one end of a handshake. It is an argument, and not a choice made here, so that a
// program that only ever logs in does not link the server's half of crypto/tls.
type tlsSide struct {
	open   func(net.Conn, *tls.Config) *tls.Conn
	client bool
}

// newEngine prepares a handshake; it begins with the first step and must end in stop.
func newEngine(cfg *tls.Config, s tlsSide) *engine {
	e := &engine{}
	e.resume, e.stop = iter.Pull(func(yield func(struct{}) bool) {
		e.yield = yield
		e.err = e.run(cfg, s)
		e.done = true
	})
	return e
}

// step continues the handshake with one turn of the other side, until it needs another or is done.
func (e *engine) step(in []byte) (out []byte) {
	e.in = append(e.in, in...)
	e.resume()
	out, e.out = e.out, nil
	return out
}

// close ends the coroutine and forgets the key.
func (e *engine) close() {
	e.stop()
	clear(e.hlak[:])
}

func (e *engine) run(cfg *tls.Config, s tlsSide) error {
	conn := s.open(pipe{e}, cfg)
	if err := conn.Handshake(); err != nil {
		return err
	}
	state := conn.ConnectionState()
	if state.Version >= tls.VersionTLS13 {
		if err := commit(conn, s.client); err != nil {
			return err
		}
	}
	return exportHLAK(&state, state.Version, &e.hlak)
}

// commit sends or awaits the server's promise that no more of a TLS 1.3 handshake follows: one byte 0x00 as application data
// (RFC 9190 section 2.1.1). Without it EAP-Success must not count, as the client's handshake ends before the server has
// accepted the client's certificate.
func commit(conn *tls.Conn, client bool) error {
	if !client {
		_, err := conn.Write([]byte{0})
		return err
	}
	var b [2]byte
	n, err := conn.Read(b[:])
	switch {
	case err != nil:
		return err
	case n != 1 || b[0] != 0:
		return errNoCommitment
	}
	return nil
}

// exporter is the part of tls.ConnectionState that derives keys.
type exporter interface {
	ExportKeyingMaterial(label string, context []byte, length int) ([]byte, error)
}

// exportHLAK takes the first 32 bytes of EAP-TLS' MSK, which are [MS-SSTP]'s key. It derives all 128 bytes, as under TLS
// 1.3 the length is part of the derivation (RFC 9190 section 2.3; RFC 5216 section 2.3 for TLS 1.2).
func exportHLAK(from exporter, version uint16, hlak *[32]byte) error {
	label, context := "client EAP encryption", []byte(nil)
	if version >= tls.VersionTLS13 {
		label, context = "EXPORTER_EAP_TLS_Key_Material", []byte{typeTLS}
	}
	keys, err := from.ExportKeyingMaterial(label, context, 128)
	if err != nil && version < tls.VersionTLS13 {
		return errNoEMS // the one reason that crypto/tls has where renegotiation is off
	}
	if err != nil {
		return err
	}
	copy(hlak[:], keys)
	clear(keys)
	return nil
}

// pipe is the connection under crypto/tls, in memory.
type pipe struct{ e *engine }

// Read returns what has come. When that is used up, the coroutine waits for the next step.
func (p pipe) Read(b []byte) (int, error) {
	for len(p.e.in) == 0 {
		if p.e.stopped || !p.e.yield(struct{}{}) {
			p.e.stopped = true
			return 0, errStopped
		}
	}
	n := copy(b, p.e.in)
	p.e.in = p.e.in[n:]
	return n, nil
}

// Write collects our turn.
func (p pipe) Write(b []byte) (int, error) {
	if p.e.stopped {
		return 0, io.ErrClosedPipe
	}
	p.e.out = append(p.e.out, b...)
	return len(b), nil
}

func (pipe) Close() error                     { return nil }
func (pipe) LocalAddr() net.Addr              { return pipeAddr{} }
func (pipe) RemoteAddr() net.Addr             { return pipeAddr{} }
func (pipe) SetDeadline(time.Time) error      { return nil }
func (pipe) SetReadDeadline(time.Time) error  { return nil }
func (pipe) SetWriteDeadline(time.Time) error { return nil }

type pipeAddr struct{}

func (pipeAddr) Network() string { return "eap" }
func (pipeAddr) String() string  { return "eap" }

// isRemote reports whether the other side's alert ended the handshake.
func isRemote(err error) bool {
	var op *net.OpError
	return errors.Is(err, io.EOF) || errors.As(err, &op) && op.Op == "remote error"
}

// The flags of an EAP-TLS packet (RFC 5216 section 3.1).
const (
	flagLength = 0x80 // the total length comes first
	flagMore   = 0x40 // more fragments follow
	flagStart  = 0x20
)

// maxFlight is how much one side may send in one turn: many times what a certificate chain needs.
const maxFlight = 64 << 10

var (
	errFlightTooLong = errors.New("more than 64 KiB in one turn")
	errFlightLength  = errors.New("the fragments differ from the length announced")
	errOutOfTurn     = errors.New("data while our own fragments were under way")
)

// cutTLS splits what follows the type. total is -1 where no length is given.
func cutTLS(data []byte) (flags byte, total int64, body []byte, ok bool) {
	if len(data) == 0 {
		return 0, 0, nil, false
	}
	flags, body, total = data[0], data[1:], -1
	if flags&flagLength != 0 {
		if len(body) < 4 {
			return 0, 0, nil, false
		}
		total, body = int64(binary.BigEndian.Uint32(body)), body[4:]
	}
	return flags, total, body, true
}

// flow carries turns of TLS in EAP-TLS packets, the same way in both directions (RFC 5216 section 2.1.5): a turn that
// does not fit is cut into fragments, and each but the last is acknowledged by an empty packet.
type flow struct {
	fragmentLen int
	out         []byte // the part of our turn that was not yet sent
	announce    bool   // the next packet is the first of several and carries the length
	in          []byte // the part of the other's turn that has come
	collecting  bool   // a first fragment has come, and not yet the last
	total       int64  // the announced length; -1: none
}

// turn is what a received packet means.
type turn uint8

const (
	turnAck      turn = iota + 1 // send next
	turnPart                     // send an empty packet, so that the rest comes
	turnComplete                 // the whole turn is here
)

// give begins our turn and returns its first packet, which is empty if there is nothing to send. The length is announced
// only if the turn is fragmented (RFC 9190 section 2.4).
func (f *flow) give(out []byte) []byte {
	f.out, f.announce = out, len(out) > f.fragmentLen
	return f.next()
}

// next returns the next packet of our turn.
func (f *flow) next() []byte {
	packet := []byte{0}
	if f.announce {
		packet[0] = flagLength
		packet = binary.BigEndian.AppendUint32(packet, uint32(len(f.out)))
		f.announce = false
	}
	n := min(len(f.out), f.fragmentLen)
	packet = append(packet, f.out[:n]...)
	if f.out = f.out[n:]; len(f.out) > 0 {
		packet[0] |= flagMore
	} else {
		f.out = nil
	}
	return packet
}

// take handles a packet of the other's turn. message is the whole turn once it is complete. Some peers announce the length
// on each fragment: the first one counts.
func (f *flow) take(flags byte, total int64, body []byte) (what turn, message []byte, err error) {
	more := flags&flagMore != 0
	if len(f.out) > 0 {
		if len(body) != 0 || more {
			return 0, nil, errOutOfTurn
		}
		return turnAck, nil, nil
	}
	if !f.collecting {
		f.collecting, f.total = true, total
	}
	switch {
	case f.total > maxFlight || len(f.in)+len(body) > maxFlight:
		return 0, nil, errFlightTooLong
	case f.total >= 0 && int64(len(f.in)+len(body)) > f.total:
		return 0, nil, errFlightLength
	}
	f.in = append(f.in, body...)
	if more {
		return turnPart, nil, nil
	}
	message, f.in, f.collecting = f.in, nil, false
	if f.total >= 0 && int64(len(message)) != f.total {
		return 0, nil, errFlightLength
	}
	return turnComplete, message, nil
}
