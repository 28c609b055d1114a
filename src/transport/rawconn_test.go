package transport

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"runtime"
	"syscall"
	"testing"
	"time"

	"sstp/src/transport/netio"
	"sstp/src/transport/testkit"
)

// rawPair returns two ends of a TCP connection, ours direct.
func rawPair(t testing.TB) (ours *RawConn, theirs *net.TCPConn) {
	t.Helper()
	ln, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	c, err := net.DialTCP("tcp", nil, ln.Addr().(*net.TCPAddr))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if theirs, err = ln.AcceptTCP(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { theirs.Close() })
	if ours, err = NewRawConn(c); err != nil {
		t.Fatal(err)
	}
	return ours, theirs
}

func TestARawConnectionCarriesWhatNoBufferHolds(t *testing.T) {
	ours, theirs := rawPair(t)
	sent := bytes.Repeat([]byte("more than the socket's buffers take at once\n"), 200_000)
	go func() {
		ours.Write(sent)
		ours.CloseWrite()
	}()
	got, err := io.ReadAll(theirs)
	if err != nil || !bytes.Equal(got, sent) {
		t.Errorf("%d bytes arrived of %d: %v", len(got), len(sent), err)
	}
	go func() {
		theirs.Write(sent)
		theirs.Close()
	}()
	got, err = io.ReadAll(ours)
	if err != nil || !bytes.Equal(got, sent) {
		t.Errorf("%d bytes came back of %d: %v", len(got), len(sent), err)
	}
}

func TestARawConnectionHasDeadlines(t *testing.T) {
	ours, _ := rawPair(t)
	soon := time.Now().Add(10 * time.Millisecond)
	if err := ours.SetDeadline(soon); err != nil {
		t.Fatal(err)
	}
	if _, err := ours.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) || !netio.IsTimeout(err) {
		t.Errorf("read: %v, want a timeout", err)
	}
	n, err := ours.Write(make([]byte, 64<<20))
	if !errors.Is(err, os.ErrDeadlineExceeded) || !netio.IsTimeout(err) {
		t.Errorf("write: %v, want a timeout", err)
	}
	if n < 0 || n == 64<<20 {
		t.Errorf("%d bytes were written to nobody", n)
	}
}

func TestARawConnectionSaysHowItEnds(t *testing.T) {
	ours, theirs := rawPair(t)
	theirs.SetLinger(0)
	theirs.Close() // with a reset
	if _, err := ours.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("read behind a reset: %v", err)
	}
	if _, err := ours.Write([]byte("x")); !errors.Is(err, syscall.EPIPE) {
		t.Errorf("write behind a reset: %v", err)
	}

	ours, _ = rawPair(t)
	failed := make(chan error)
	go func() {
		_, err := ours.Read(make([]byte, 1))
		failed <- err
	}()
	ours.Close()
	if err := <-failed; !errors.Is(err, net.ErrClosed) {
		t.Errorf("read while it is closed: %v", err)
	}
	if _, err := ours.Write([]byte("x")); !errors.Is(err, net.ErrClosed) {
		t.Errorf("write behind the close: %v", err)
	}
}

func TestARawConnectionAllocatesNothing(t *testing.T) {
	ours, theirs := rawPair(t)
	ping, pong := make([]byte, 100), make([]byte, 100)
	if n := testing.AllocsPerRun(100, func() {
		ours.Write(ping)
		io.ReadFull(theirs, pong)
		theirs.Write(pong)
		ours.Read(ping)
	}); n != 0 {
		t.Errorf("%v allocations for a write and a read, want 0", n)
	}
}

// overTLS returns a connection whose records crypto/tls does, and the other end of its socket.
func overTLS(t *testing.T) (ours *Conn, theirs *tls.Conn, socket *net.TCPConn) {
	t.Helper()
	d, socket := rawPair(t)
	theirs = tls.Server(socket, testkit.Presenting(testkit.SelfSigned(t, nil)))
	session := tls.Client(d, &tls.Config{InsecureSkipVerify: true, DynamicRecordSizingDisabled: true})
	shaken := make(chan error)
	go func() { shaken <- theirs.Handshake() }()
	if err := errors.Join(session.Handshake(), <-shaken); err != nil {
		t.Fatal(err)
	}
	return &Conn{tcp: d, tls: session, info: Info{Path: PathGo}}, theirs, socket
}

func TestHeldRecordsGoOutTogetherAndInOrder(t *testing.T) {
	ours, theirs, _ := overTLS(t)
	d := ours.tcp.(*RawConn)
	var sent []byte
	write := func(more bool, size int) {
		t.Helper()
		part := bytes.Repeat([]byte{byte(len(sent)>>14 + 1)}, size)
		sent = append(sent, part...)
		ours.Hold(more)
		if n, err := ours.Write(part); n != size || err != nil {
			t.Fatalf("write: %d, %v", n, err)
		}
	}
	read := func() {
		t.Helper()
		got := make([]byte, len(sent))
		if _, err := io.ReadFull(theirs, got); err != nil || !bytes.Equal(got, sent) {
			t.Fatalf("other bytes arrived: %v", err)
		}
		sent = nil
	}
	write(true, 16384)
	write(true, 16384)
	if len(d.held) < 2*16384 {
		t.Errorf("%d bytes are held of two records", len(d.held))
	}
	write(false, 100)
	if len(d.held) != 0 {
		t.Errorf("%d bytes are held behind the last write", len(d.held))
	}
	read()
	for range 9 {
		write(true, 16384)
		if len(d.held) > maxHeld-maxRecord {
			t.Errorf("%d bytes are held, which leaves no room for a record", len(d.held))
		}
	}
	write(false, 16384)
	read()
	write(false, 16384)
	if len(d.held) != 0 {
		t.Error("a write is held that nobody wanted held")
	}
	read()
	write(true, 300)
	if err := ours.Flush(); err != nil || len(d.held) != 0 {
		t.Errorf("%d bytes are held behind a flush, %v", len(d.held), err)
	}
	read()
}

func TestACloseSendsWhatIsHeld(t *testing.T) {
	ours, theirs, _ := overTLS(t)
	ours.Hold(true)
	if _, err := ours.Write([]byte("the last words")); err != nil {
		t.Fatal(err)
	}
	ours.Close()
	if got, err := io.ReadAll(theirs); string(got) != "the last words" || err != nil {
		t.Errorf("%q, %v; want all of it and the end of TLS", got, err)
	}
}

func TestReadyOnlyWhenAWholeRecordIsThere(t *testing.T) {
	ours, theirs, socket := overTLS(t)
	if ours.Ready() {
		t.Error("ready for nothing")
	}
	if _, err := theirs.Write(make([]byte, 100)); err != nil {
		t.Fatal(err)
	}
	if ours.Ready() {
		t.Error("a short record cannot be told from a part of a long one")
	}
	got := make([]byte, 16384)
	if _, err := io.ReadFull(ours, got[:100]); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := theirs.Write(got); err != nil {
			t.Fatal(err)
		}
	}
	for !ours.Ready() { // it is on its way through the loopback device
		runtime.Gosched()
	}
	if n, err := ours.Read(got); n == 0 || err != nil {
		t.Errorf("a record was ready, but Read gave %d bytes, %v", n, err)
	}
	socket.Close()
	ours.Close()
	if ours.Ready() {
		t.Error("ready behind the close")
	}
}
