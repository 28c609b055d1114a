package integration

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"time"
)

// The transfer protocol: the client says a direction and a number of bytes, the sender sends so many pseudo-random
// bytes of a known seed and their SHA-256, the receiver compares and, where it is the server, answers one byte.
const (
	upload   = 'U'
	download = 'D'
	accepted = 'K'
)

// Serve serves transfers on a TCP address until the listener fails. ready is called once it listens.
func Serve(addr string, ready func()) error {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	ready()
	for {
		c, err := l.Accept()
		if err != nil {
			return err
		}
		go func() {
			defer c.Close()
			var head [9]byte
			if _, err := io.ReadFull(c, head[:]); err != nil {
				return
			}
			n := int64(binary.BigEndian.Uint64(head[1:]))
			if head[0] == upload {
				if receive(c, n) == nil {
					c.Write([]byte{accepted})
				}
				return
			}
			send(c, n)
		}()
	}
}

// Transfer moves n bytes to (upload) or from a server and compares their checksum. It returns how long it took.
func Transfer(addr string, up bool, n int64) (time.Duration, error) {
	c, err := net.DialTimeout("tcp", addr, 10*time.Second)
	if err != nil {
		return 0, err
	}
	defer c.Close()
	head := append([]byte{download}, binary.BigEndian.AppendUint64(nil, uint64(n))...)
	if up {
		head[0] = upload
	}
	begin := time.Now()
	if _, err := c.Write(head); err != nil {
		return 0, err
	}
	if !up {
		err = receive(c, n)
		return time.Since(begin), err
	}
	if err := send(c, n); err != nil {
		return 0, err
	}
	var answer [1]byte
	if _, err := io.ReadFull(c, answer[:]); err != nil || answer[0] != accepted {
		return 0, fmt.Errorf("the server did not confirm the checksum: %v", err)
	}
	return time.Since(begin), nil
}

func send(w io.Writer, n int64) error {
	source := rand.NewChaCha8([32]byte{'s', 's', 't', 'p'})
	sum := sha256.New()
	if _, err := io.CopyBuffer(onlyWriter{io.MultiWriter(w, sum)}, io.LimitReader(source, n), make([]byte, 1<<16)); err != nil {
		return err
	}
	_, err := w.Write(sum.Sum(nil))
	return err
}

func receive(r io.Reader, n int64) error {
	sum := sha256.New()
	got, err := io.CopyBuffer(onlyWriter{sum}, io.LimitReader(r, n), make([]byte, 1<<16))
	if err != nil {
		return fmt.Errorf("after %d of %d bytes: %w", got, n, err)
	}
	if got < n {
		return fmt.Errorf("the connection ended after %d of %d bytes", got, n)
	}
	want := make([]byte, sha256.Size)
	if _, err := io.ReadFull(r, want); err != nil {
		return err
	}
	if !bytes.Equal(sum.Sum(nil), want) {
		return errors.New("the bytes that arrived are not those that were sent")
	}
	return nil
}

// onlyWriter hides ReadFrom, so that the given buffer is used.
type onlyWriter struct{ io.Writer }
