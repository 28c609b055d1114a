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

	"sstp/src/integration/netkit"
	"sstp/src/lab"
)

// The sink's port that says what has arrived. It is asked over the cable, past the tunnel.
const questionPort = "5000"

// streamKind is a kind of the sink's data connections. The port says it.
type streamKind struct {
	port  string
	chunk int // so much is read and written at once
	tls   bool
}

// The kinds of data connections. A plain TLS copy writes the plaintext of one TLS record at once, or as much as a tunnel that
// gathers no packets would. Through a tunnel it is more, so that the traffic itself costs little.
var (
	throughTunnel = streamKind{"5001", 128 << 10, false}
	tlsCopy       = streamKind{"5002", 16 << 10, true}
	smallTLSCopy  = streamKind{"5003", 1408, true}
)

// sink receives and sends bulk data until the process is ended, and says on its question port what has arrived.
func sink() error {
	certificate, err := lab.NewCertificate(lab.CertificateOptions{})
	if err != nil {
		return err
	}
	config := &tls.Config{Certificates: []tls.Certificate{certificate.TLS}, SessionTicketsDisabled: true, DynamicRecordSizingDisabled: true}
	var received atomic.Uint64
	for _, kind := range []streamKind{throughTunnel, tlsCopy, smallTLSCopy} {
		l, err := (&net.ListenConfig{Control: setCongestion}).Listen(context.Background(), "tcp", ":"+kind.port)
		if err != nil {
			return err
		}
		go accept(l, func(c net.Conn) {
			if kind.tls {
				c = tls.Server(c, config)
			}
			if d, _, err := netkit.ReadOrder(c); err == nil && d == netkit.Up {
				receive(c, kind.chunk, &received)
			} else if err == nil {
				send(c, kind.chunk)
			}
		})
	}
	questions, err := net.Listen("tcp", ":"+questionPort)
	if err != nil {
		return err
	}
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

// answer says for each byte of question how many bytes have arrived, and when that was.
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

// startLoad starts to move bulk data between this process and the sink.
func startLoad(j job) (*load, error) {
	l := &load{up: j.Direction == netkit.Up}
	var err error
	if l.asker, err = net.DialTimeout("tcp", net.JoinHostPort(serverOuter, questionPort), patience); err != nil {
		return nil, err
	}
	kind := throughTunnel
	switch {
	case j.Small:
		kind = smallTLSCopy
	case j.TLS:
		kind = tlsCopy
	}
	for range j.Streams {
		c, err := dialData(j.Far, kind)
		if err != nil {
			l.stop()
			return nil, err
		}
		l.conns = append(l.conns, c)
		if _, err := c.Write(netkit.AppendOrder(nil, j.Direction, 0)); err != nil { // until the connection ends
			l.stop()
			return nil, err
		}
		if l.up {
			l.wg.Go(func() { send(c, kind.chunk) })
		} else {
			l.wg.Go(func() { receive(c, kind.chunk, &l.received) })
		}
	}
	return l, nil
}

func dialData(far string, kind streamKind) (net.Conn, error) {
	d := net.Dialer{Timeout: patience, Control: setCongestion}
	c, err := d.Dial("tcp", net.JoinHostPort(far, kind.port))
	if err != nil || !kind.tls {
		return c, err
	}
	t := tls.Client(c, &tls.Config{InsecureSkipVerify: true, DynamicRecordSizingDisabled: true})
	return t, t.Handshake()
}

// setCongestion sets a socket's congestion control.
func setCongestion(_, _ string, raw syscall.RawConn) (err error) {
	if e := raw.Control(func(fd uintptr) {
		err = unix.SetsockoptString(int(fd), unix.IPPROTO_TCP, unix.TCP_CONGESTION, congestionControl)
	}); e != nil {
		return e
	}
	return err
}

// arrived returns how many bytes have arrived at their receiver, and when that was.
func (l *load) arrived() (bytes uint64, at time.Time, err error) {
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
