package lab

import (
	"context"
	"io"
	"net"
	"os"
	"testing"
	"time"

	"sstp/src/auth"
	"sstp/src/ppp"
	"sstp/src/sstp"
)

// source is a device that always has packets for one client, and swallows what it gets.
type source struct {
	pkt  []byte
	open chan struct{} // closed when packets may come
	stop chan struct{}
	got  chan int
}

func (s *source) ReadPackets(buf []byte, room int, ends []int) (n int, err error) {
	select {
	case <-s.open:
	case <-s.stop:
		return 0, os.ErrDeadlineExceeded
	}
	select {
	case <-s.stop:
		return 0, os.ErrDeadlineExceeded
	default:
	}
	at := 0
	for n < 45 && at+room+len(s.pkt) <= len(buf) { // as many as a super-packet of 64 KiB splits into
		at += room + copy(buf[at+room:], s.pkt)
		ends[n] = at
		n++
	}
	return n, nil
}

func (s *source) WritePackets(pkts [][]byte) (int, error) {
	for _, p := range pkts {
		s.got <- len(p)
	}
	return len(pkts), nil
}

func (s *source) SetReadDeadline(t time.Time) error {
	if !t.IsZero() {
		close(s.stop)
	}
	return nil
}

// benchCall brings a client up over loopback TCP.
func benchCall(b *testing.B) (*testClient, *source, func()) {
	b.Helper()
	dev := &source{pkt: ipv4Packet("10.99.0.1", "10.99.0.2"), open: make(chan struct{}), stop: make(chan struct{}), got: make(chan int, 1024)}
	dev.pkt = append(dev.pkt, make([]byte, 1400-len(dev.pkt))...)
	s, err := New(Config{Certificate: testCertificate(), Methods: []auth.Method{auth.MSCHAPv2}, Device: dev})
	if err != nil {
		b.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		s.Serve(ctx, ln)
		close(done)
	}()
	raw, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		b.Fatal(err)
	}
	c, err := dial(b, s, raw, clientOptions{})
	if err == nil {
		err = c.open()
	}
	if err != nil {
		b.Fatal(err)
	}
	c.up()
	return c, dev, func() {
		raw.Close()
		cancel()
		<-done
		s.Close()
	}
}

func BenchmarkToTheClient(b *testing.B) {
	c, dev, end := benchCall(b)
	defer end()
	b.SetBytes(1400)
	b.ReportAllocs()
	b.ResetTimer()
	c.bulk.Store(true)
	close(dev.open)
	for n := 0; n < b.N*1408; {
		n += <-c.sink
	}
}

func BenchmarkFromTheClient(b *testing.B) {
	c, dev, end := benchCall(b)
	defer end()
	pkt := append(ipv4Packet(c.ipv4.Local.String(), "10.99.0.1"), make([]byte, 1372)...)
	var record []byte
	for range 11 {
		record = sstp.AppendData(record, ppp.AppendFrame(nil, ppp.ProtoIPv4, pkt))
	}
	b.SetBytes(int64(len(pkt)))
	b.ReportAllocs()
	b.ResetTimer()
	go func() {
		for n := 0; n < b.N; n += 11 {
			if _, err := c.conn.Write(record); err != nil && err != io.EOF {
				return
			}
		}
	}()
	for range b.N {
		<-dev.got
	}
}
