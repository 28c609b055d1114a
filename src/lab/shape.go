package lab

import (
	"context"
	"io"
	"net"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Shape makes a TCP connection as slow as a distant line. It is a relay in user space, which needs no privileges and no
// kernel module. It loses nothing: a sender that is too fast finds the window closed. The zero value adds nothing.
type Shape struct {
	Rate  int           // bits per second in each direction; 0: as fast as it goes
	Delay time.Duration // from one end to the other
	Queue int           // about how many bytes may wait before the line in each direction; 0: the kernel's default
}

const (
	// relayChunk is one packet of the line: so much is taken at once where there is a rate.
	relayChunk = 1448
	// relayChunks bounds what is under way. A line of 1 Gbit/s and 30 ms one way has 2600 packets on it.
	relayChunks = 4096
	// relayBurst is how much of its time an idle line may make up for: timers are late by about as much.
	relayBurst = 2 * time.Millisecond
)

// Listen listens on a TCP address for connections to be relayed.
func (s Shape) Listen(ctx context.Context, address string) (net.Listener, error) {
	c := net.ListenConfig{Control: s.control}
	return c.Listen(ctx, "tcp", address)
}

// control bounds what the kernel takes from a sender ahead of the relay.
func (s Shape) control(_, _ string, raw syscall.RawConn) (err error) {
	if s.Queue == 0 {
		return nil
	}
	if e := raw.Control(func(fd uintptr) {
		err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUF, s.Queue)
	}); e != nil {
		return e
	}
	return err
}

// Serve relays each connection that ln accepts to the TCP address target, until ctx ends or ln fails. Then it closes all
// of them and ln. The error is nil after ctx ended.
func (s Shape) Serve(ctx context.Context, ln net.Listener, target string) error {
	ctx, cancel := context.WithCancel(ctx)
	defer context.AfterFunc(ctx, func() { ln.Close() })()
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	for {
		near, err := ln.Accept()
		switch {
		case err == nil:
			wg.Go(func() {
				defer near.Close()
				d := net.Dialer{Control: s.control}
				if far, err := d.DialContext(ctx, "tcp", target); err == nil {
					s.Join(ctx, near, far)
				}
			})
		case ctx.Err() != nil:
			return nil
		default:
			ln.Close()
			return err
		}
	}
}

// Join relays between two connections until both directions are at their end, or ctx is, and closes them.
func (s Shape) Join(ctx context.Context, a, b net.Conn) {
	end := func() {
		a.Close()
		b.Close()
	}
	defer end()
	defer context.AfterFunc(ctx, end)()
	var wg sync.WaitGroup
	for _, way := range [][2]net.Conn{{a, b}, {b, a}} {
		wg.Go(func() {
			if s.carry(way[1], way[0]) != nil {
				end()
			}
		})
	}
	wg.Wait()
}

// piece is bytes on the line. No bytes mean that the sender has closed.
type piece struct {
	data []byte
	due  time.Time
}

// carry runs one direction. Bytes on the line come out after the delay; the rest stays with the sender.
func (s Shape) carry(to, from net.Conn) error {
	line, free := make(chan piece, relayChunks), make(chan []byte, relayChunks)
	delivered := make(chan struct{})
	var failed error
	go func() {
		defer close(delivered)
		failed = deliver(to, line, free)
	}()
	err := s.dispatch(line, free, from, delivered)
	close(line)
	<-delivered
	if err == nil {
		err = failed
	}
	return err
}

// dispatch reads at the rate of the line. It returns nil when the sender has closed.
func (s Shape) dispatch(line chan<- piece, free <-chan []byte, from net.Conn, delivered <-chan struct{}) error {
	size := relayChunk
	if s.Rate == 0 {
		size = 32 << 10
	}
	var departed time.Time // when the last bit was on the line
	for {
		var b []byte
		select {
		case b = <-free:
		default:
			b = make([]byte, size)
		}
		n, err := from.Read(b[:size])
		now := time.Now()
		if s.Rate > 0 {
			if departed.Before(now.Add(-relayBurst)) {
				departed = now.Add(-relayBurst)
			}
			departed = departed.Add(time.Duration(int64(n) * 8 * int64(time.Second) / int64(s.Rate)))
			if departed.After(now) {
				time.Sleep(time.Until(departed))
				now = departed
			}
		}
		if n > 0 || err == io.EOF {
			select {
			case line <- piece{b[:n], now.Add(s.Delay)}:
			case <-delivered:
				return nil
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// deliver writes what arrives at the end of the line.
func deliver(to net.Conn, line <-chan piece, free chan<- []byte) error {
	for p := range line {
		time.Sleep(time.Until(p.due))
		if len(p.data) == 0 {
			if c, ok := to.(interface{ CloseWrite() error }); ok {
				return c.CloseWrite()
			}
			return to.Close()
		}
		if _, err := to.Write(p.data); err != nil {
			return err
		}
		select {
		case free <- p.data[:cap(p.data)]:
		default:
		}
	}
	return nil
}
