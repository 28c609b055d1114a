package auth

import (
	"encoding/binary"
	"errors"
)

// The flags of an EAP-TLS packet (RFC 5216 section 3.1).
const (
	flagLength = 0x80 // the total length comes first
	flagMore   = 0x40 // more fragments follow
	flagStart  = 0x20
)

// maxFlight is how much one side may send before the other's turn: what a certificate chain needs, many times over.
const maxFlight = 64 << 10

var (
	errFlightTooLong = errors.New("more than 64 KiB in one turn")
	errFlightLength  = errors.New("the fragments differ from the length announced")
	errOutOfTurn     = errors.New("data while our own fragments were under way")
)

// cutTLS takes what lies behind the type apart; total is -1 where no length is given.
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
	out         []byte // of our turn, what was not yet sent
	announce    bool   // nothing of it was, and it needs more than one packet
	in          []byte // of the other's turn, what has come
	collecting  bool   // a first fragment has come, and not yet the last
	total       int64  // announced; -1: not
}

// turn says what a received packet means.
type turn uint8

const (
	turnAck      turn = iota + 1 // send next
	turnPart                     // send an empty packet, for the rest to come
	turnComplete                 // the whole turn is here
)

// give begins our turn and returns its first packet; the packet is empty where there is nothing to say. The length is
// announced only where the turn is cut (RFC 9190 section 2.4).
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

// take receives a packet of the other's turn; message is all of it when it is complete. Some peers announce the length
// on each fragment: the first counts.
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
