package transport

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
	"time"
)

// directPair returns two ends of a TCP connection, ours direct.
func directPair(t *testing.T) (ours *direct, theirs *net.TCPConn) {
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
	if ours, err = newDirect(c); err != nil {
		t.Fatal(err)
	}
	return ours, theirs
}

func TestADirectConnectionCarriesWhatNoBufferHolds(t *testing.T) {
	ours, theirs := directPair(t)
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

func TestADirectConnectionHasDeadlines(t *testing.T) {
	ours, _ := directPair(t)
	soon := time.Now().Add(10 * time.Millisecond)
	if err := ours.SetDeadline(soon); err != nil {
		t.Fatal(err)
	}
	if _, err := ours.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) || !isTimeout(err) {
		t.Errorf("read: %v, want a timeout", err)
	}
	n, err := ours.Write(make([]byte, 64<<20))
	if !errors.Is(err, os.ErrDeadlineExceeded) || !isTimeout(err) {
		t.Errorf("write: %v, want a timeout", err)
	}
	if n < 0 || n == 64<<20 {
		t.Errorf("%d bytes were written to nobody", n)
	}
}

func TestADirectConnectionSaysHowItEnds(t *testing.T) {
	ours, theirs := directPair(t)
	theirs.SetLinger(0)
	theirs.Close() // with a reset
	if _, err := ours.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("read behind a reset: %v", err)
	}
	if _, err := ours.Write([]byte("x")); !errors.Is(err, syscall.EPIPE) {
		t.Errorf("write behind a reset: %v", err)
	}

	ours, _ = directPair(t)
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

func TestADirectConnectionAllocatesNothing(t *testing.T) {
	ours, theirs := directPair(t)
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
