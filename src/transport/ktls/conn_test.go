package ktls

import (
	"bytes"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"runtime"
	"syscall"
	"testing"
	"time"

	"sstp/src/transport/netio"
	"sstp/src/transport/testkit"
)

// pair returns a connection in the hands of a fake kernel and the other end of it.
func pair(t testing.TB, version uint16, suite kernelSuite) (*Conn, *testkit.Peer) {
	t.Helper()
	ours, theirs := testkit.SocketPair(t)
	raw, err := ours.(syscall.Conn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var up, down direction
	rand.Read(up.key[:suite.keyLen])
	rand.Read(down.key[:suite.keyLen])
	rand.Read(up.iv[:])
	up.seq, down.seq = 1, 1<<40
	k := &testkit.FakeKernel{}
	raw.Control(func(fd uintptr) {
		k.Attach(int(fd))
		if err := k.SetKeys(int(fd), tlsRX, appendKernelKeys(nil, version, suite, &down)); err != nil {
			t.Error(err)
		}
		if err := k.SetKeys(int(fd), tlsTX, appendKernelKeys(nil, version, suite, &up)); err != nil {
			t.Error(err)
		}
	})
	s := testkit.NewPeer(t, theirs, appendKernelKeys(nil, version, suite, &down), appendKernelKeys(nil, version, suite, &up))
	return NewConn(ours, raw, k, version), s
}

var chacha13 = kernelSuites[tls.TLS_CHACHA20_POLY1305_SHA256]

func TestAllCiphersOfBothVersions(t *testing.T) {
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		for _, id := range []uint16{tls.TLS_AES_128_GCM_SHA256, tls.TLS_AES_256_GCM_SHA384, tls.TLS_CHACHA20_POLY1305_SHA256} {
			c, s := pair(t, version, kernelSuites[id])
			s.SendData("down")
			b := make([]byte, 100)
			if n, err := c.Read(b); err != nil || string(b[:n]) != "down" {
				t.Errorf("%s, %s: %q, %v", tls.VersionName(version), tls.CipherSuiteName(id), b[:n], err)
			}
			if n, err := c.Write([]byte("up")); err != nil || n != 2 {
				t.Error(n, err)
			}
			if kind, b, err := s.Receive(); err != nil || kind != recordData || string(b) != "up" {
				t.Errorf("%s, %s: %d %q, %v", tls.VersionName(version), tls.CipherSuiteName(id), kind, b, err)
			}
		}
	}
}

func TestAnAlertInTwoRecordsReadByteByByte(t *testing.T) {
	c, s := pair(t, tls.VersionTLS13, chacha13)
	s.Send(s.TX.Seal(recordAlert, []byte{2}), s.TX.Seal(recordAlert, []byte{40}))
	_, err := c.Read(make([]byte, 1))
	var op *net.OpError
	if !errors.As(err, &op) || op.Op != "remote error" || op.Err != tls.AlertError(40) {
		t.Errorf("%v, want handshake_failure", err)
	}
}

func TestCloseSaysGoodbye(t *testing.T) {
	c, s := pair(t, tls.VersionTLS13, chacha13)
	reading := make(chan error)
	go func() {
		_, err := c.Read(make([]byte, 1))
		reading <- err
	}()
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	if kind, b, err := s.Receive(); err != nil || kind != recordAlert || !bytes.Equal(b, []byte{1, 0}) {
		t.Errorf("a record of type %d: %x, %v, want close_notify", kind, b, err)
	}
	if err := <-reading; err == nil {
		t.Error("Close does not end Read")
	}
	if _, err := c.Write([]byte("x")); err != net.ErrClosed {
		t.Errorf("a write after it: %v", err)
	}
	if err := c.Close(); err != net.ErrClosed {
		t.Errorf("a second one: %v", err)
	}
}

// TestCloseEndsAWriteThatWaits: nobody reads at the other end.
func TestCloseEndsAWriteThatWaits(t *testing.T) {
	c, _ := pair(t, tls.VersionTLS13, chacha13)
	writing := make(chan error)
	go func() {
		_, err := c.Write(make([]byte, 1<<20)) // more than the socket has room for
		writing <- err
	}()
	for c.use.Load() != 2 {
		runtime.Gosched()
	}
	if err := c.Close(); err != nil { // without waiting for room: a write under way leaves none for close_notify
		t.Error(err)
	}
	if err := <-writing; err == nil {
		t.Error("the write came through")
	}
}

func TestDeadlines(t *testing.T) {
	c, s := pair(t, tls.VersionTLS13, chacha13)
	c.SetReadDeadline(time.Now().Add(10 * time.Millisecond))
	if _, err := c.Read(make([]byte, 1)); !netio.IsTimeout(err) {
		t.Errorf("%v, want a timeout", err)
	}
	c.SetReadDeadline(time.Time{})
	s.SendData("later")
	b := make([]byte, 10)
	if n, err := c.Read(b); err != nil || string(b[:n]) != "later" {
		t.Errorf("after the deadline was taken back: %q, %v", b[:n], err)
	}
	c.SetWriteDeadline(time.Unix(1, 0))
	if _, err := c.Write([]byte("x")); !netio.IsTimeout(err) {
		t.Errorf("%v, want a timeout", err)
	}
}

// TestTheKernelsPathAllocatesNothing uses the real system calls on sockets without TLS, which take and give the same.
func TestTheKernelsPathAllocatesNothing(t *testing.T) {
	ours, theirs := testkit.SocketPair(t)
	raw, err := ours.(syscall.Conn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	conn := NewConn(ours, raw, Linux{}, tls.VersionTLS13)
	b := make([]byte, 1408)
	if n := testing.AllocsPerRun(200, func() {
		if _, err := conn.Write(b); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(theirs, b); err != nil {
			t.Fatal(err)
		}
		if _, err := theirs.Write(b); err != nil {
			t.Fatal(err)
		}
		if n, err := conn.Read(b); err != nil || n != len(b) {
			t.Fatal(n, err)
		}
	}); n != 0 {
		t.Errorf("%v allocations for a write and a read, want 0", n)
	}
}

func TestTheTypeOfARecordIsReadFromTheControlMessage(t *testing.T) {
	if got := recordTypeOf(nil); got != recordData {
		t.Errorf("nothing is type %d", got)
	}
	room := make([]byte, controlLen)
	control := controlMessage(room, tlsGetType, recordAlert)
	if got := recordTypeOf(control); got != recordAlert {
		t.Errorf("type %d, want %d", got, recordAlert)
	}
	if got := recordTypeOf(control[:5]); got != recordData {
		t.Errorf("a piece of it is type %d", got)
	}
	if got := recordTypeOf(controlMessage(room, 77, recordAlert)); got != recordData {
		t.Errorf("another message is type %d", got)
	}
}
