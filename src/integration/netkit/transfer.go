package netkit

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"time"
)

// Direction is the direction of a transfer, as the client sees it.
type Direction string

// The directions.
const (
	Up   Direction = "up"
	Down Direction = "down"
)

// Directions are both, in the order in which tables have them.
var Directions = []Direction{Up, Down}

// A transfer begins with an order of nine bytes from the client: 'U' or 'D', and the number of bytes. The server confirms an
// upload with one byte.
const confirmed = 'K'

// AppendOrder appends the order of a transfer.
func AppendOrder(b []byte, d Direction, n int64) []byte {
	letter := byte('D')
	if d == Up {
		letter = 'U'
	}
	return binary.BigEndian.AppendUint64(append(b, letter), uint64(n))
}

// ReadOrder reads the order of a transfer.
func ReadOrder(r io.Reader) (d Direction, n int64, err error) {
	var order [9]byte
	if _, err := io.ReadFull(r, order[:]); err != nil {
		return "", 0, err
	}
	d = Down
	if order[0] == 'U' {
		d = Up
	}
	return d, int64(binary.BigEndian.Uint64(order[1:])), nil
}

// Confirm tells the client that its upload has arrived.
func Confirm(w io.Writer) error {
	_, err := w.Write([]byte{confirmed})
	return err
}

// AwaitConfirmation waits until the server confirms the upload.
func AwaitConfirmation(r io.Reader) error {
	var answer [1]byte
	if _, err := io.ReadFull(r, answer[:]); err != nil || answer[0] != confirmed {
		return fmt.Errorf("the server did not confirm the upload: %v", err)
	}
	return nil
}

// ServeTransfers listens on a TCP address of the namespace and serves transfers there until the Net is closed.
func (s *Namespace) ServeTransfers(address string) error {
	return s.Do(func() error {
		l, err := net.Listen("tcp", address)
		if err != nil {
			return err
		}
		s.net.closeLater(l)
		go ServeTransfers(l)
		return nil
	})
}

// Transfer moves n bytes between the namespace and a server of transfers.
func (s *Namespace) Transfer(address string, d Direction, n int64, within time.Duration) (took time.Duration, err error) {
	err = s.Do(func() error {
		took, err = Transfer(address, d, n, within)
		return err
	})
	return took, err
}

// ServeTransfers serves transfers to each connection that l accepts, until l is closed.
func ServeTransfers(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			defer c.Close()
			d, n, err := ReadOrder(c)
			if err != nil {
				return
			}
			if d == Down {
				sendPattern(c, n)
			} else if checkPattern(c, n) == nil {
				Confirm(c)
			}
		}()
	}
}

// Transfer moves n bytes to or from a server of transfers and compares them with what was sent. It returns how long that
// took.
func Transfer(address string, d Direction, n int64, within time.Duration) (time.Duration, error) {
	begin := time.Now()
	c, err := net.DialTimeout("tcp", address, within)
	if err != nil {
		return 0, err
	}
	defer c.Close()
	c.SetDeadline(begin.Add(within))
	begin = time.Now()
	if _, err := c.Write(AppendOrder(nil, d, n)); err != nil {
		return 0, err
	}
	if d == Down {
		err = checkPattern(c, n)
	} else if err = sendPattern(c, n); err == nil {
		err = AwaitConfirmation(c)
	}
	return time.Since(begin), err
}

// patternLen is no multiple of a packet's or a record's length, so that a piece that is lost, repeated or in the wrong place
// does not fit.
const patternLen = 65521

// pattern is what the traffic repeats. It costs next to nothing to make and to check.
var pattern = func() []byte {
	b := make([]byte, 0, patternLen+8)
	for r := rand.NewPCG(1, 2); len(b) < patternLen; {
		b = binary.BigEndian.AppendUint64(b, r.Uint64())
	}
	return b[:patternLen]
}()

func sendPattern(w io.Writer, n int64) error {
	for ; n > 0; n -= patternLen {
		if _, err := w.Write(pattern[:min(n, patternLen)]); err != nil {
			return err
		}
	}
	return nil
}

func checkPattern(r io.Reader, n int64) error {
	got := make([]byte, patternLen)
	for at := int64(0); at < n; at += patternLen {
		part := got[:min(n-at, patternLen)]
		if _, err := io.ReadFull(r, part); err != nil {
			return fmt.Errorf("after byte %d of %d: %w", at, n, err)
		}
		if !bytes.Equal(part, pattern[:len(part)]) {
			return fmt.Errorf("the bytes after byte %d are not those that were sent", at)
		}
	}
	return nil
}
