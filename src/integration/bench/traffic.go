package main

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Ports of the sink. The data goes through what is measured; the questions go past it, over the cable.
const (
	dataPort     = "5000"
	tlsPort      = "5001"
	questionPort = "5002"
	smallPort    = "5003" // as tlsPort, with small writes
)

// The first byte of a data connection says who sends.
const (
	up   = 'U'
	down = 'D'
)

// chunk is how much is written and read at once by the plain TLS copy: the plaintext of one TLS record. Through a tunnel
// it is more, so that the traffic itself costs little. Small is what a tunnel that gathers no packets would write.
const (
	tlsChunk   = 16 << 10
	tcpChunk   = 128 << 10
	smallChunk = 1408
)

// sink receives and sends bulk data until the process is ended, and tells over its question port what has arrived.
func sink(cert tls.Certificate) error {
	var received atomic.Uint64
	listener := net.ListenConfig{Control: congestion}
	plain, err := listener.Listen(context.Background(), "tcp", ":"+dataPort)
	if err != nil {
		return err
	}
	secure, err := listener.Listen(context.Background(), "tcp", ":"+tlsPort)
	if err != nil {
		return err
	}
	small, err := listener.Listen(context.Background(), "tcp", ":"+smallPort)
	if err != nil {
		return err
	}
	questions, err := net.Listen("tcp", ":"+questionPort)
	if err != nil {
		return err
	}
	config := &tls.Config{Certificates: []tls.Certificate{cert}, SessionTicketsDisabled: true, DynamicRecordSizingDisabled: true}
	go accept(plain, func(c net.Conn) { carry(c, tcpChunk, &received) })
	go accept(secure, func(c net.Conn) { carry(tls.Server(c, config), tlsChunk, &received) })
	go accept(small, func(c net.Conn) { carry(tls.Server(c, config), smallChunk, &received) })
	fmt.Println("serving")
	return accept(questions, func(c net.Conn) { answer(c, &received) })
}

func accept(l net.Listener, serve func(net.Conn)) error {
	for {
		c, err := l.Accept()
		if err != nil {
			return err
		}
		go func() {
			defer c.Close()
			serve(c)
		}()
	}
}

// carry is the sink's end of a data connection.
func carry(c net.Conn, chunk int, received *atomic.Uint64) {
	var direction [1]byte
	if _, err := io.ReadFull(c, direction[:]); err != nil {
		return
	}
	if direction[0] == up {
		receive(c, chunk, received)
	} else {
		send(c, chunk)
	}
}

func receive(r io.Reader, chunk int, received *atomic.Uint64) {
	buf := make([]byte, chunk)
	for {
		n, err := r.Read(buf)
		received.Add(uint64(n))
		if err != nil {
			return
		}
	}
}

func send(w io.Writer, chunk int) {
	buf := make([]byte, chunk)
	for {
		if _, err := w.Write(buf); err != nil {
			return
		}
	}
}

// answer tells for each byte of question how many bytes have arrived, and when that was.
func answer(c net.Conn, received *atomic.Uint64) {
	var question [1]byte
	for {
		if _, err := io.ReadFull(c, question[:]); err != nil {
			return
		}
		a := binary.BigEndian.AppendUint64(nil, received.Load())
		a = binary.BigEndian.AppendUint64(a, uint64(time.Now().UnixNano()))
		if _, err := c.Write(a); err != nil {
			return
		}
	}
}

// load is bulk data in one direction.
type load struct {
	asker    net.Conn
	conns    []net.Conn
	up       bool
	received atomic.Uint64
	wg       sync.WaitGroup
}

// startLoad begins to move bulk data between this process and the sink.
func startLoad(j job) (*load, error) {
	l := &load{up: j.Direction == "up"}
	var err error
	if l.asker, err = net.DialTimeout("tcp", net.JoinHostPort(j.Cable, questionPort), patience); err != nil {
		return nil, err
	}
	for range j.Streams {
		c, chunk, err := dialData(j)
		if err != nil {
			l.stop()
			return nil, err
		}
		l.conns = append(l.conns, c)
		direction := []byte{down}
		if l.up {
			direction[0] = up
		}
		if _, err := c.Write(direction); err != nil {
			l.stop()
			return nil, err
		}
		if l.up {
			l.wg.Go(func() { send(c, chunk) })
		} else {
			l.wg.Go(func() { receive(c, chunk, &l.received) })
		}
	}
	return l, nil
}

func dialData(j job) (net.Conn, int, error) {
	port, chunk := dataPort, tcpChunk
	if j.TLS {
		port, chunk = tlsPort, tlsChunk
	}
	if j.Small {
		port, chunk = smallPort, smallChunk
	}
	d := net.Dialer{Timeout: patience, Control: congestion}
	c, err := d.Dial("tcp", net.JoinHostPort(j.Far, port))
	if err != nil || !j.TLS {
		return c, chunk, err
	}
	t := tls.Client(c, &tls.Config{InsecureSkipVerify: true, DynamicRecordSizingDisabled: true})
	return t, chunk, t.Handshake()
}

// congestion sets a socket's congestion control.
func congestion(_, _ string, raw syscall.RawConn) (err error) {
	if e := raw.Control(func(fd uintptr) {
		err = unix.SetsockoptString(int(fd), unix.IPPROTO_TCP, unix.TCP_CONGESTION, congestionControl)
	}); e != nil {
		return e
	}
	return err
}

// mark returns how many bytes have arrived at their receiver, and when that was.
func (l *load) mark() (bytes uint64, at time.Time, err error) {
	if !l.up {
		return l.received.Load(), time.Now(), nil
	}
	if _, err := l.asker.Write([]byte{'?'}); err != nil {
		return 0, at, err
	}
	var a [16]byte
	if _, err := io.ReadFull(l.asker, a[:]); err != nil {
		return 0, at, err
	}
	return binary.BigEndian.Uint64(a[:]), time.Unix(0, int64(binary.BigEndian.Uint64(a[8:]))), nil
}

func (l *load) stop() {
	for _, c := range l.conns {
		if t, ok := c.(*tls.Conn); ok {
			c = t.NetConn()
		}
		if t, ok := c.(*net.TCPConn); ok {
			t.SetLinger(0) // what still waits in buffers must not flow into the next measurement
		}
		c.Close()
	}
	l.asker.Close()
	l.wg.Wait()
}
