package lab

import (
	"bytes"
	"context"
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"
)

// lineEnds returns the two outer ends of a line.
func lineEnds(t *testing.T, s Shape) (left, right net.Conn, end func()) {
	t.Helper()
	left, a := net.Pipe()
	b, right := net.Pipe()
	ctx, cancel := context.WithCancel(t.Context())
	over := make(chan struct{})
	go func() {
		s.Join(ctx, a, b)
		close(over)
	}()
	return left, right, func() {
		cancel()
		<-over
	}
}

func TestALineDelaysWhatItCarries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		left, right, end := lineEnds(t, Shape{Rate: 20_000_000, Delay: 20 * time.Millisecond})
		defer end()
		for _, way := range [][2]net.Conn{{left, right}, {right, left}} {
			begin := time.Now()
			if _, err := way[0].Write([]byte("ping")); err != nil {
				t.Fatal(err)
			}
			got := make([]byte, 4)
			if _, err := io.ReadFull(way[1], got); err != nil {
				t.Fatal(err)
			}
			if took := time.Since(begin); took != 20*time.Millisecond {
				t.Errorf("a small packet took %v on an idle line, want 20ms", took)
			}
		}
	})
}

func TestALineCarriesNoMoreThanItsRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const packets = 100
		rate := relayChunk * 8 * 1000 // a packet each millisecond
		left, right, end := lineEnds(t, Shape{Rate: rate, Delay: 20 * time.Millisecond})
		defer end()
		sent := make([]byte, packets*relayChunk)
		for i := range sent {
			sent[i] = byte(i)
		}
		begin := time.Now()
		go left.Write(sent)
		got := make([]byte, len(sent))
		if _, err := io.ReadFull(right, got); err != nil {
			t.Fatal(err)
		}
		if took, want := time.Since(begin), packets*time.Millisecond+20*time.Millisecond-relayBurst; took != want {
			t.Errorf("%d packets took %v, want %v", packets, took, want)
		}
		if !bytes.Equal(got, sent) {
			t.Error("the bytes are others")
		}
	})
}

func TestASenderIsHeldBackByASlowLine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		left, right, end := lineEnds(t, Shape{Rate: relayChunk * 8 * 10})
		defer end()
		go io.Copy(io.Discard, right)
		begin := time.Now()
		for range 10 {
			if _, err := left.Write(make([]byte, relayChunk)); err != nil {
				t.Fatal(err)
			}
		}
		if took := time.Since(begin); took < 800*time.Millisecond {
			t.Errorf("10 packets were taken within %v by a line of 10 packets a second", took)
		}
	})
}

func TestAnEndReachesTheOtherSideBehindTheData(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		left, right, end := lineEnds(t, Shape{Delay: time.Second})
		defer end()
		go func() {
			left.Write([]byte("the last words"))
			left.Close()
		}()
		got, _ := io.ReadAll(right)
		if string(got) != "the last words" {
			t.Errorf("got %q", got)
		}
	})
}

func TestTheRelayServesTCP(t *testing.T) {
	echo, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer echo.Close()
	go func() {
		for {
			c, err := echo.Accept()
			if err != nil {
				return
			}
			go func() {
				io.Copy(c, c)
				c.Close()
			}()
		}
	}()
	s := Shape{Queue: 16 << 10, Delay: time.Millisecond}
	ln, err := s.Listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error)
	go func() { served <- s.Serve(ctx, ln, echo.Addr().String()) }()
	c, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	sent := bytes.Repeat([]byte("through the relay and back\n"), 40_000)
	go func() {
		c.Write(sent)
		c.(*net.TCPConn).CloseWrite()
	}()
	if got, err := io.ReadAll(c); err != nil || !bytes.Equal(got, sent) {
		t.Errorf("%d bytes came back of %d: %v", len(got), len(sent), err)
	}
	waiting, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer waiting.Close()
	cancel()
	if err := <-served; err != nil {
		t.Error(err)
	}
}
