package ubus_test

import (
	"context"
	"errors"
	"net"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"sstp/src/blobmsg"
	"sstp/src/ubus"
)

func TestConnectingIsTriedWithGrowingPauses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		var tries []string
		var lost []error
		c := ubus.New(ubus.Options{
			Dial: func(context.Context) (net.Conn, error) {
				tries = append(tries, time.Since(began).String())
				return nil, os.ErrNotExist
			},
			Lost: func(err error) { lost = append(lost, err) },
		})
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
		defer cancel()
		if err := c.Run(ctx); err != context.DeadlineExceeded {
			t.Error(err)
		}
		if got, want := strings.Join(tries, " "), "0s 1s 3s 7s 15s 31s 1m1s 1m31s"; got != want {
			t.Errorf("tried after %s, want %s", got, want)
		}
		if len(lost) != 1 || !errors.Is(lost[0], os.ErrNotExist) || !errors.Is(lost[0], ubus.StatusConnectionFailed) {
			t.Errorf("told of %v", lost)
		}
		// After its end the client fails every call at once.
		if _, err := c.Call(context.Background(), "a", "b", nil); !errors.Is(err, ubus.StatusConnectionFailed) {
			t.Error(err)
		}
	})
}

func TestWithoutAConnectionACallWaitsForOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := ubus.New(ubus.Options{Dial: func(context.Context) (net.Conn, error) { return nil, os.ErrNotExist }})
		began := time.Now()
		run(t, c)
		_, err := c.Call(context.Background(), "a", "b", nil)
		if !errors.Is(err, ubus.StatusConnectionFailed) || !errors.Is(err, os.ErrNotExist) || time.Since(began) != ubus.CallTimeout {
			t.Errorf("after %v: %v", time.Since(began), err)
		}
		if _, err := c.List(context.Background(), ""); !errors.Is(err, ubus.StatusConnectionFailed) {
			t.Error(err)
		}
		if err := c.Send(context.Background(), "e", nil); !errors.Is(err, ubus.StatusConnectionFailed) {
			t.Error(err)
		}
		if err := c.Notify("o", "n", nil); !errors.Is(err, ubus.StatusConnectionFailed) {
			t.Error(err)
		}
	})
}

func TestAConnectionThatHeldStartsThePausesAnew(t *testing.T) {
	scripted(t, func(t *testing.T, s *script, c *ubus.Client) {
		var pauses []string
		for _, held := range []time.Duration{0, 0, 0, time.Hour, 0, time.Minute} {
			s.accept()
			time.Sleep(held)
			s.conn.Close()
			ended := time.Now()
			next := <-s.accepted
			pauses = append(pauses, time.Since(ended).String())
			s.accepted <- next
		}
		s.accept()
		if got, want := strings.Join(pauses, " "), "1s 2s 4s 1s 2s 1s"; got != want {
			t.Errorf("paused %s, want %s", got, want)
		}
	})
}

func TestWhatUbusdRefusesIsTriedAgainAndLoggedOnce(t *testing.T) {
	scripted(t, func(t *testing.T, s *script, c *ubus.Client) {
		c.Publish(vecObject())
		s.accept()
		began := time.Now()
		var tries []string
		for range 7 {
			m := s.wantVector("add_object_request")
			tries = append(tries, time.Since(began).String())
			s.sendVector("add_object_duplicate_status", m.Seq)
		}
		m := s.wantVector("add_object_request")
		s.sendVector("add_object_reply", m.Seq)
		s.sendVector("add_object_status", m.Seq)
		s.sendVector("invoke_forwarded", 0)
		s.wantStatus(2, caller, vecTest, ubus.StatusOK)
		if got, want := strings.Join(tries, " "), "0s 1s 3s 7s 15s 31s 1m1s"; got != want {
			t.Errorf("tried after %s, want %s", got, want)
		}
		if len(s.lines) != 1 || !strings.Contains(s.lines[0], "vec.test") || !strings.Contains(s.lines[0], "invalid argument") {
			t.Errorf("logged %q", s.lines)
		}
	})
}

func TestUbusdThatDoesNotRegisterIsLeft(t *testing.T) {
	scripted(t, func(t *testing.T, s *script, c *ubus.Client) {
		c.Publish(vecObject())
		s.accept()
		s.wantVector("add_object_request")
		began := time.Now()
		if err := <-s.lost; !strings.Contains(err.Error(), "does not answer") || time.Since(began) != ubus.CallTimeout {
			t.Errorf("after %v: %v", time.Since(began), err)
		}
		// Had it registered the object late, the path would be taken for ever; the new connection has a clean slate.
		s.accept()
		s.wantVector("add_object_request")
	})
}

func TestEverythingIsRegisteredAgainWithTheNextUbusd(t *testing.T) {
	scripted(t, func(t *testing.T, s *script, c *ubus.Client) {
		heard := make(chan string, 9)
		c.Publish(vecObject())
		c.Listen("vec.ev*", func(event string, data blobmsg.Fields) { heard <- "event " + event })
		c.Subscribe("vec.test", func(kind string, data blobmsg.Fields) { heard <- "notification " + kind })
		for base := uint32(2000); base < 5000; base += 1000 {
			s.accept()
			m := s.wantVector("add_object_request")
			s.send(ubus.MessageData, m.Seq, m.Peer, ubus.AppendNumber(nil, ubus.AttrObject, base))
			s.status(m, ubus.StatusOK)
			for id := base + 1; id <= base+2; id++ { // the pattern, and that objects come
				s.added(id)
				m, a := s.next(ubus.MessageInvoke)
				args, _ := blobmsg.ParseFields(a.Data)
				if n, _ := args.Number("object"); uint32(n) != id {
					t.Errorf("registered for %x", n)
				}
				s.status(m, ubus.StatusOK)
			}
			s.added(base + 3)
			s.found(base + 4)
			m, a := s.next(ubus.MessageSubscribe)
			if a.Object != base+3 || a.Target != base+4 {
				t.Errorf("%x is subscribed to %x", a.Object, a.Target)
			}
			s.status(m, ubus.StatusOK)
			<-s.connected

			s.send(ubus.MessageInvoke, 1, caller, invocation(base, "types"))
			s.wantStatus(1, caller, base, ubus.StatusOK)
			s.send(ubus.MessageInvoke, 1, 0, invocation(base+1, "vec.event"))
			s.send(ubus.MessageInvoke, 1, 0, invocation(base+9, "vec.event")) // ours only if ids of the last ubusd were kept
			if got := <-heard; got != "event vec.event" {
				t.Error(got)
			}
			s.send(ubus.MessageInvoke, 1, caller, invocation(base+3, "tick"))
			s.wantStatus(1, caller, base+3, ubus.StatusOK)
			if got := <-heard; got != "notification tick" {
				t.Error(got)
			}
			s.conn.Close()
		}
		synctest.Wait()
		if len(heard)+len(s.connected) != 0 {
			t.Error("something was heard twice")
		}
	})
}

func TestDialServesOneConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScript(t)
		accepted := make(chan struct{})
		go func() {
			s.accept()
			close(accepted)
		}()
		c, err := ubus.Dial(t.Context(), s.options())
		if err != nil {
			t.Fatal(err)
		}
		<-accepted
		done := calling(t.Context(), c, "a", "b")
		s.found(5000)
		m, _ := s.next(ubus.MessageInvoke)
		s.status(m, ubus.StatusOK)
		if r := <-done; r.err != nil {
			t.Error(r.err)
		}
		s.conn.Close()
		<-s.lost
		began := time.Now()
		if _, err := c.Call(context.Background(), "a", "b", nil); !errors.Is(err, ubus.StatusConnectionFailed) || time.Since(began) != 0 {
			t.Errorf("after %v: %v", time.Since(began), err)
		}
		if len(s.accepted) > 0 {
			t.Error("it connects again")
		}
		c.Close()

		go s.accept()
		if c, err = ubus.Dial(t.Context(), s.options()); err != nil {
			t.Fatal(err)
		}
		c.Close()
		if len(s.lost) > 0 {
			t.Error("to be closed is no loss")
		}
	})
}

func TestTheSocketOfOpenWrtIsTheDefault(t *testing.T) {
	missing := t.TempDir() + "/ubus.sock"
	_, err := ubus.Dial(t.Context(), ubus.Options{Socket: missing})
	if !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), missing) {
		t.Error(err)
	}
	if _, err := os.Stat("/var/run/ubus/ubus.sock"); err == nil {
		return // this machine has a bus of its own: it is none of ours
	}
	if _, err := ubus.Dial(t.Context(), ubus.Options{}); err == nil || !strings.Contains(err.Error(), "/var/run/ubus/ubus.sock") {
		t.Error(err)
	}
}

func TestErrorsSayWhatWasAskedAndWhatBecameOfIt(t *testing.T) {
	for err, want := range map[error]string{
		&ubus.CallError{Object: "network.interface", Method: "dump", Err: ubus.StatusPermissionDenied}: "ubus network.interface dump: permission denied (ubus status 6)",
		&ubus.CallError{Method: "lookup", Err: ubus.Status(99)}:                                        "ubus lookup: unknown status (ubus status 99)",
		&ubus.LostError{Err: os.ErrNotExist}:                                                           "no connection to ubusd: file does not exist",
	} {
		if err.Error() != want {
			t.Errorf("%q, want %q", err, want)
		}
	}
	for status := range ubus.Status(14) {
		if strings.Contains(status.Error(), "unknown status") {
			t.Errorf("status %d has no words", status)
		}
	}
}
