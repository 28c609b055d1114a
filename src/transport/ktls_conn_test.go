package transport

import (
	"bytes"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sstp/src/fault"
	"sstp/src/transport/netio"
	"sstp/src/transport/testkit"
)

// needKernelTLS is set where the machine's kernel is known to have TLS, so that a test that finds none fails.
var needKernelTLS = os.Getenv("SSTP_TEST_KTLS") != ""

// socketPair returns two connected sockets.
func socketPair(t testing.TB) (ours, theirs net.Conn) {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	open := func(fd int) net.Conn {
		f := os.NewFile(uintptr(fd), "socket")
		defer f.Close()
		conn, err := net.FileConn(f)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		return conn
	}
	return open(fds[0]), open(fds[1])
}

// pair returns a connection in the hands of a fake kernel and the other end of it.
func pair(t testing.TB, version uint16, suite kernelSuite) (*kernelConn, *scripted) {
	t.Helper()
	ours, theirs := socketPair(t)
	raw, err := ours.(syscall.Conn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var up, down direction
	rand.Read(up.key[:suite.keyLen])
	rand.Read(down.key[:suite.keyLen])
	rand.Read(up.iv[:])
	up.seq, down.seq = 1, 1<<40
	k := &fakeKernel{}
	raw.Control(func(fd uintptr) {
		k.attach(int(fd))
		if err := k.setKeys(int(fd), tlsRX, appendKernelKeys(nil, version, suite, &down)); err != nil {
			t.Error(err)
		}
		if err := k.setKeys(int(fd), tlsTX, appendKernelKeys(nil, version, suite, &up)); err != nil {
			t.Error(err)
		}
	})
	s := &scripted{Conn: theirs, t: t}
	s.tx, _ = newRecords(appendKernelKeys(nil, version, suite, &down))
	s.rx, _ = newRecords(appendKernelKeys(nil, version, suite, &up))
	return newKernelConn(ours, raw, k, version), s
}

var chacha13 = kernelSuites[tls.TLS_CHACHA20_POLY1305_SHA256]

func TestAllCiphersOfBothVersions(t *testing.T) {
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		for _, id := range []uint16{tls.TLS_AES_128_GCM_SHA256, tls.TLS_AES_256_GCM_SHA384, tls.TLS_CHACHA20_POLY1305_SHA256} {
			c, s := pair(t, version, kernelSuites[id])
			s.say("down")
			b := make([]byte, 100)
			if n, err := c.Read(b); err != nil || string(b[:n]) != "down" {
				t.Errorf("%s, %s: %q, %v", tls.VersionName(version), tls.CipherSuiteName(id), b[:n], err)
			}
			if n, err := c.Write([]byte("up")); err != nil || n != 2 {
				t.Error(n, err)
			}
			if kind, b, err := s.hears(); err != nil || kind != recordData || string(b) != "up" {
				t.Errorf("%s, %s: %d %q, %v", tls.VersionName(version), tls.CipherSuiteName(id), kind, b, err)
			}
		}
	}
}

func TestAnAlertInTwoRecordsReadByteByByte(t *testing.T) {
	c, s := pair(t, tls.VersionTLS13, chacha13)
	s.write(s.tx.seal(recordAlert, []byte{2}), s.tx.seal(recordAlert, []byte{40}))
	_, err := c.Read(make([]byte, 1))
	if name, ok := alertName(err); !ok || name != alertHandshakeFailure {
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
	if kind, b, err := s.hears(); err != nil || kind != recordAlert || !bytes.Equal(b, []byte{1, 0}) {
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
	conn := &Conn{tcp: c.Conn, tls: c}
	fill(t, c)
	writing := make(chan error)
	go func() {
		_, err := c.Write(make([]byte, 1<<20))
		writing <- err
	}()
	for c.use.Load() != 2 {
		time.Sleep(time.Millisecond)
	}
	begun := time.Now()
	conn.Close()
	if err := <-writing; err == nil {
		t.Error("the write came through")
	}
	if took := time.Since(begun); took > closeGrace {
		t.Errorf("Close took %v: a write under way leaves no room for a goodbye", took)
	}
}

// fill writes until the kernel has no room for more.
func fill(t *testing.T, c *kernelConn) {
	t.Helper()
	var err error
	c.raw.Control(func(fd uintptr) {
		for junk := make([]byte, 16384); err == nil; {
			_, err = c.kernel.send(int(fd), junk)
		}
	})
	if err != unix.EAGAIN {
		t.Fatal(err)
	}
}

func TestCloseWaitsForRoomAndNotLong(t *testing.T) {
	c, _ := pair(t, tls.VersionTLS13, chacha13)
	conn := &Conn{tcp: c.Conn, tls: c}
	fill(t, c)
	begun := time.Now()
	conn.Close()
	if took := time.Since(begun); took < closeGrace/2 || took > 2*closeGrace {
		t.Errorf("Close took %v, want %v", took, closeGrace)
	}
}

func TestDeadlines(t *testing.T) {
	c, s := pair(t, tls.VersionTLS13, chacha13)
	c.SetReadDeadline(time.Now().Add(10 * time.Millisecond))
	if _, err := c.Read(make([]byte, 1)); !netio.IsTimeout(err) {
		t.Errorf("%v, want a timeout", err)
	}
	c.SetReadDeadline(time.Time{})
	s.say("later")
	b := make([]byte, 10)
	if n, err := c.Read(b); err != nil || string(b[:n]) != "later" {
		t.Errorf("after the deadline was taken back: %q, %v", b[:n], err)
	}
	c.SetWriteDeadline(time.Unix(1, 0))
	if _, err := c.Write([]byte("x")); !netio.IsTimeout(err) {
		t.Errorf("%v, want a timeout", err)
	}
}

// TestErrorsOfTheKernel: what is the network's passes, what is TLS's is a fault.
func TestErrorsOfTheKernel(t *testing.T) {
	for err, code := range map[unix.Errno]fault.Code{
		unix.ECONNRESET: "", unix.ETIMEDOUT: "", unix.EPIPE: "",
		unix.EIO: fault.TLSFailed, unix.EBADMSG: fault.TLSFailed, unix.ENOMEM: fault.TLSFailed, unix.EINVAL: fault.TLSFailed,
		unix.EMSGSIZE: fault.TLSFailed,
	} {
		c, _ := pair(t, tls.VersionTLS13, chacha13)
		conn := &Conn{tcp: c.Conn, tls: c}
		c.kernel.(*fakeKernel).recvError, c.kernel.(*fakeKernel).sendError = err, err
		_, readErr := conn.Read(make([]byte, 1))
		_, writeErr := conn.Write(make([]byte, 1))
		for _, got := range []error{readErr, writeErr} {
			if code != "" {
				testkit.WantFault(t, got, code)
			}
			if !errors.Is(got, err) {
				t.Errorf("%v does not say %v", got, err)
			}
		}
	}
}

// TestTheKernelsPathAllocatesNothing uses the real system calls on sockets without TLS, which take and give the same.
func TestTheKernelsPathAllocatesNothing(t *testing.T) {
	ours, theirs := socketPair(t)
	raw, err := ours.(syscall.Conn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	conn := &Conn{tcp: ours, tls: newKernelConn(ours, raw, linux{}, tls.VersionTLS13)}
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
