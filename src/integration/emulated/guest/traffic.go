package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
)

// patternLen is no multiple of a packet, so that a packet too many, too few or out of order cannot look right.
const patternLen = 65521

// pattern returns what the traffic repeats.
func pattern() []byte {
	b := make([]byte, 0, patternLen+8)
	for r := rand.NewPCG(1, 2); len(b) < patternLen; {
		b = binary.BigEndian.AppendUint64(b, r.Uint64())
	}
	return b[:patternLen]
}

// serveTraffic answers each connection: 'U' and a length, then it checks what comes and says 'K'; 'D' and a length, then
// it sends.
func serveTraffic(addr string) error {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	fmt.Println("serving")
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
			if head[0] == 'D' {
				sendPattern(c, n)
				return
			}
			if err := checkPattern(c, n); err != nil {
				fmt.Println("failed:", err)
				return
			}
			c.Write([]byte{'K'})
		}()
	}
}

// traffic moves n bytes to such a server or from it.
func traffic(addr string, up bool, n int64) error {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		return err
	}
	defer c.Close()
	head := binary.BigEndian.AppendUint64([]byte{'D'}, uint64(n))
	if up {
		head[0] = 'U'
	}
	if _, err := c.Write(head); err != nil {
		return err
	}
	if !up {
		return checkPattern(c, n)
	}
	if err := sendPattern(c, n); err != nil {
		return err
	}
	if _, err := io.ReadFull(c, head[:1]); err != nil || head[0] != 'K' {
		return fmt.Errorf("the other end did not confirm: %v", err)
	}
	return nil
}

func sendPattern(w io.Writer, n int64) error {
	for b := pattern(); n > 0; n -= int64(len(b)) {
		if _, err := w.Write(b[:min(n, int64(len(b)))]); err != nil {
			return err
		}
	}
	return nil
}

func checkPattern(r io.Reader, n int64) error {
	want, got := pattern(), make([]byte, patternLen)
	for at := int64(0); at < n; at += patternLen {
		part := got[:min(n-at, patternLen)]
		if _, err := io.ReadFull(r, part); err != nil {
			return fmt.Errorf("behind byte %d: %w", at, err)
		}
		if !bytes.Equal(part, want[:len(part)]) {
			return fmt.Errorf("other bytes than those sent, behind byte %d", at)
		}
	}
	return nil
}
