package ubus_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"sstp/src/blobmsg"
	"sstp/src/ubus"
)

// wantError checks what a call in the background returned.
func wantError(t *testing.T, why string, done <-chan result, want error) {
	t.Helper()
	r := <-done
	var call *ubus.CallError
	if !errors.Is(r.err, want) || !errors.As(r.err, &call) || r.reply != nil {
		t.Errorf("%s: %s, %v; want %v", why, asJSON(r.reply), r.err, want)
	}
}

func TestUbusdThatMisbehavesIsLeft(t *testing.T) {
	for _, tt := range []struct {
		why   string
		do    func(s *script)
		after time.Duration
	}{
		{"it closes the connection", func(s *script) { s.conn.Close() }, 0},
		{"a length below 4", func(s *script) { s.sendRaw("00010001 00000000 00000003") }, 0},
		{"a length over 1 MiB", func(s *script) { s.sendRaw("00010001 00000000 00100001") }, 0},
		{"the greatest length", func(s *script) { s.sendRaw("00010001 00000000 ffffffff") }, 0},
		{"another version", func(s *script) { s.sendRaw("01010001 00000000 0000000c 01000008 00000000") }, 0},
		{"an end within a message", func(s *script) { s.sendRaw("00010001 0000"); s.conn.Close() }, 0},
		{"silence within a message", func(s *script) { s.sendRaw("00010001 0000") }, ubus.StallTimeout},
	} {
		t.Run(tt.why, func(t *testing.T) {
			scripted(t, func(t *testing.T, s *script, c *ubus.Client) {
				s.accept()
				ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
				defer cancel()
				done := calling(ctx, c, "a", "b")
				s.found(5000)
				s.next(ubus.MessageInvoke)
				began := time.Now()
				tt.do(s)
				wantError(t, "the call in hand", done, ubus.StatusConnectionFailed)
				if got := time.Since(began); got != tt.after {
					t.Errorf("that took %v, want %v", got, tt.after)
				}
				if err := <-s.lost; !errors.Is(err, ubus.StatusConnectionFailed) {
					t.Errorf("lost with %v", err)
				}
				if c.Connected() {
					t.Error("the client believes in the connection")
				}
				// A call waits for the next connection, on which the id has to be looked up anew.
				done = calling(ctx, c, "a", "b")
				s.accept()
				if got := time.Since(began); got != tt.after+time.Second {
					t.Errorf("connected again after %v", got)
				}
				s.found(6000)
				m, a := s.next(ubus.MessageInvoke)
				if a.Object != 6000 {
					t.Errorf("the object of the lost connection is called: %x", a.Object)
				}
				s.status(m, ubus.StatusOK)
				if r := <-done; r.err != nil || r.reply != nil {
					t.Errorf("got %s, %v", asJSON(r.reply), r.err)
				}
			})
		})
	}
}

func TestUbusdThatSaysNoHelloIsNone(t *testing.T) {
	for _, tt := range []struct {
		why, want string
		do        func(s *script)
	}{
		{"a user that it does not know", "/etc/passwd", func(s *script) { (<-s.accepted).Close() }},
		{"silence", "does not answer", func(s *script) { <-s.accepted }},
		{"half a hello", "does not answer", func(s *script) { s.conn = <-s.accepted; s.sendRaw("00000000 1880") }},
		{"another message", "hello", func(s *script) { s.conn = <-s.accepted; s.sendVector("lookup_status_ok", 0) }},
		{"another version", "version", func(s *script) { s.conn = <-s.accepted; s.sendRaw("01000000 188020f0 00000004") }},
	} {
		synctest.Test(t, func(t *testing.T) {
			s := newScript(t)
			go tt.do(s)
			began := time.Now()
			c, err := ubus.Dial(t.Context(), s.options())
			if c != nil || !errors.Is(err, ubus.StatusConnectionFailed) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%s: %v", tt.why, err)
			}
			if time.Since(began) > ubus.CallTimeout {
				t.Errorf("%s: it took %v to find out", tt.why, time.Since(began))
			}
		})
	}
}

func TestAProviderThatDiesInACallCostsTheCallersTimeOnly(t *testing.T) {
	scripted(t, func(t *testing.T, s *script, c *ubus.Client) {
		s.accept()
		done := calling(context.Background(), c, "a", "b")
		s.found(5000)
		first, _ := s.next(ubus.MessageInvoke) // ubusd forgets the calls of a provider that dies: no answer ever comes
		began := time.Now()
		r := <-done
		if !errors.Is(r.err, context.DeadlineExceeded) || time.Since(began) != ubus.CallTimeout || r.err.Error() != "ubus a b: no answer in time" {
			t.Errorf("after %v: %v", time.Since(began), r.err)
		}

		ctx, cancel := context.WithCancel(t.Context())
		done = calling(ctx, c, "a", "b")
		s.next(ubus.MessageInvoke)
		cancel()
		wantError(t, "the caller has lost interest", done, context.Canceled)
		if n := c.Pending(); n != 0 {
			t.Errorf("%d requests are kept", n)
		}

		// Answers to requests that were given up, and to some that were never made, disturb nobody.
		done = calling(t.Context(), c, "a", "b")
		last, _ := s.next(ubus.MessageInvoke)
		s.status(first, ubus.StatusPermissionDenied)
		s.status(ubus.Message{Seq: last.Seq + 1, Peer: last.Peer}, ubus.StatusPermissionDenied)
		s.status(ubus.Message{Seq: last.Seq, Peer: last.Peer + 1}, ubus.StatusPermissionDenied)
		s.status(ubus.Message{Seq: last.Seq}, ubus.StatusPermissionDenied)
		s.send(ubus.MessageData, last.Seq, last.Peer+1, ubus.AppendTable(nil, ubus.AttrData, blobmsg.Fields{blobmsg.F("wrong", blobmsg.Bool(true))}))
		s.status(last, ubus.StatusOK)
		if r := <-done; r.err != nil || r.reply != nil {
			t.Errorf("got %s, %v", asJSON(r.reply), r.err)
		}
	})
}

func TestADamagedReplyIsAnErrorOfThatCallAlone(t *testing.T) {
	scripted(t, func(t *testing.T, s *script, c *ubus.Client) {
		s.accept()
		damaged := map[string][]byte{
			"a cut field":       {0x85, 0, 0, 0x10, 0, 1},
			"an unknown type":   {0x99, 0, 0, 8, 0, 1, 'a', 0},
			"a wrong length":    {0x85, 0, 0, 9, 0, 1, 'a', 0, 1, 0, 0, 0},
			"no fields at all":  {1, 2, 3, 4, 5},
			"too deep a nest":   blobmsg.AppendFields(nil, blobmsg.Fields{blobmsg.F("", deep(40))}),
			"too much of it":    make([]byte, 1<<19),
			"an unnamed string": {0x83, 0, 0, 4},
		}
		first := true
		for why, data := range damaged {
			done := calling(t.Context(), c, "a", "b")
			if first {
				s.found(5000)
				first = false
			}
			m, _ := s.next(ubus.MessageInvoke)
			body := ubus.AppendNested(ubus.AppendNumber(nil, ubus.AttrObject, m.Peer), ubus.AttrData, data)
			s.send(ubus.MessageData, m.Seq, m.Peer, body)
			s.status(m, ubus.StatusOK)
			wantError(t, why, done, ubus.StatusParseError)
		}
		done := calling(t.Context(), c, "a", "b")
		m, _ := s.next(ubus.MessageInvoke)
		s.send(ubus.MessageStatus, m.Seq, m.Peer, nil)
		wantError(t, "a status without a status", done, ubus.StatusParseError)

		done = calling(t.Context(), c, "a", "b")
		m, _ = s.next(ubus.MessageInvoke)
		s.send(ubus.MessageData, m.Seq, m.Peer, nil)
		s.send(ubus.MessageStatus, m.Seq, m.Peer, ubus.AppendNumber(nil, ubus.AttrStatus, 4711))
		wantError(t, "a status of another time", done, ubus.Status(4711))
	})
}

func deep(n int) blobmsg.Value {
	v := blobmsg.Array()
	for range n {
		v = blobmsg.Array(v)
	}
	return v
}

func TestMessagesThatMakeNoSenseAreIgnored(t *testing.T) {
	scripted(t, func(t *testing.T, s *script, c *ubus.Client) {
		s.accept()
		for typ := range ubus.MessageType(20) {
			for _, body := range [][]byte{
				nil, {1}, {3, 0, 0, 8}, {3, 0, 0, 3}, {0xff, 0xff, 0xff, 0xff, 0},
				ubus.AppendNested(nil, ubus.AttrObject, []byte{1, 2, 3, 4, 5}),
			} {
				s.send(typ, 1, 5000, body)
			}
		}
		done := calling(t.Context(), c, "a", "b")
		m, _ := s.next(ubus.MessageLookup)
		s.send(ubus.MessageData, m.Seq, m.Peer, ubus.AppendNumber(nil, ubus.AttrObject, 5000))       // no path
		s.send(ubus.MessageData, m.Seq, m.Peer, ubus.AppendText(nil, ubus.AttrPath, "a"))            // no id
		other := ubus.AppendNumber(ubus.AppendText(nil, ubus.AttrPath, "aa"), ubus.AttrObject, 5000) // another object
		s.send(ubus.MessageData, m.Seq, m.Peer, other)
		s.status(m, ubus.StatusOK)
		wantError(t, "none of the objects is the right one", done, ubus.StatusNotFound)
	})
}

func TestAnObjectThatHasANewIDIsFoundAgain(t *testing.T) {
	scripted(t, func(t *testing.T, s *script, c *ubus.Client) {
		s.accept()
		done := calling(t.Context(), c, "a", "b")
		s.found(5000)
		m, _ := s.next(ubus.MessageInvoke)
		s.status(m, ubus.StatusOK)
		<-done

		done = calling(t.Context(), c, "a", "b")
		m, _ = s.next(ubus.MessageInvoke)
		s.status(m, ubus.StatusNotFound)
		s.found(6000)
		m, a := s.next(ubus.MessageInvoke)
		if a.Object != 6000 {
			t.Errorf("called %x", a.Object)
		}
		s.status(m, ubus.StatusOK)
		if r := <-done; r.err != nil {
			t.Error(r.err)
		}

		done = calling(t.Context(), c, "a", "b")
		m, _ = s.next(ubus.MessageInvoke)
		s.status(m, ubus.StatusNotFound)
		m, _ = s.next(ubus.MessageLookup)
		s.status(m, ubus.StatusNotFound)
		wantError(t, "it is gone", done, ubus.StatusNotFound)

		done = calling(t.Context(), c, "a", "b")
		s.found(7000)
		m, _ = s.next(ubus.MessageInvoke)
		s.status(m, ubus.StatusNotFound)
		wantError(t, "it went between the lookup and the call: that is not tried for ever", done, ubus.StatusNotFound)

		done = calling(t.Context(), c, "a", "b")
		m, _ = s.next(ubus.MessageInvoke)
		body := ubus.AppendNumber(ubus.AppendNumber(nil, ubus.AttrStatus, 4), ubus.AttrObject, 7000)
		s.send(ubus.MessageStatus, m.Seq, m.Peer, body)
		wantError(t, "the method itself answers 4, and is not called a second time", done, ubus.StatusNotFound)
	})
}

func TestNumbersOfRequestsWrapAndSkipThoseInUse(t *testing.T) {
	scripted(t, func(t *testing.T, s *script, c *ubus.Client) {
		s.accept()
		done := calling(t.Context(), c, "a", "b")
		s.found(5000)
		first, _ := s.next(ubus.MessageInvoke)
		c.SetLastSeq(first.Seq - 2)
		var open []ubus.Message
		var results []<-chan result
		for range 3 {
			results = append(results, calling(t.Context(), c, "a", "b"))
			m, _ := s.next(ubus.MessageInvoke)
			open = append(open, m)
		}
		c.SetLastSeq(0xffff)
		results = append(results, calling(t.Context(), c, "a", "b"))
		m, _ := s.next(ubus.MessageInvoke)
		open = append(open, m)
		if got := fmt.Sprint(open[0].Seq, open[1].Seq, open[2].Seq, open[3].Seq); got != fmt.Sprint(first.Seq-1, first.Seq+1, first.Seq+2, 0) {
			t.Errorf("request %d is open; then came %s", first.Seq, got)
		}
		for i := range open { // answered in another order than asked
			i = len(open) - 1 - i
			s.status(open[i], ubus.Status(100+i))
			wantError(t, "each gets its own answer", results[i], ubus.Status(100+i))
		}
		s.status(first, ubus.StatusOK)
		if r := <-done; r.err != nil {
			t.Error(r.err)
		}
	})
}

func TestWhatIsTooLongIsNotSent(t *testing.T) {
	scripted(t, func(t *testing.T, s *script, c *ubus.Client) {
		long := blobmsg.String(strings.Repeat("x", ubus.MaxMessage))
		o := &ubus.Object{Path: "o", Methods: []ubus.Method{{Name: "long",
			Handler: func(context.Context, *ubus.Request) (blobmsg.Fields, error) {
				return blobmsg.Fields{blobmsg.F("x", long)}, nil
			},
		}}}
		c.Publish(o)
		s.accept()
		m, _ := s.next(ubus.MessageAddObject)
		s.send(ubus.MessageData, m.Seq, m.Peer, ubus.AppendNumber(nil, ubus.AttrObject, 9000))
		s.status(m, ubus.StatusOK)

		done := calling(t.Context(), c, "a", "b", blobmsg.F("x", long))
		s.found(5000)
		if r := <-done; r.err == nil || !strings.Contains(r.err.Error(), "1 MiB") {
			t.Errorf("ubusd would have ended the connection: %v", r.err)
		}
		if err := c.Notify("o", "n", blobmsg.Fields{blobmsg.F("x", long)}); err == nil || !strings.Contains(err.Error(), "1 MiB") {
			t.Errorf("ubusd would have ended the connection: %v", err)
		}
		s.send(ubus.MessageInvoke, 1, caller, invocation(9000, "long"))
		s.wantStatus(1, caller, 9000, ubus.StatusNoMemory)
	})
}

func TestAUbusdThatDoesNotReadIsLeftAndStillHeard(t *testing.T) {
	scripted(t, func(t *testing.T, s *script, c *ubus.Client) {
		heard := make(chan string, ubus.MaxInbox)
		c.Listen("e", func(event string, _ blobmsg.Fields) { heard <- event })
		s.accept()
		s.added(9000)
		m, _ := s.next(ubus.MessageInvoke)
		s.status(m, ubus.StatusOK)

		began := time.Now()
		big := blobmsg.F("x", blobmsg.String(strings.Repeat("x", 100<<10)))
		var calls []<-chan result
		for range 20 { // their lookups fill the socket, and nothing is read any more
			calls = append(calls, calling(t.Context(), c, "a", "b", big))
		}
		synctest.Wait()
		for range 10 { // each of these wants an answer
			s.send(ubus.MessageInvoke, 1, caller, invocation(9000, "e"))
			<-heard
		}
		for _, done := range calls {
			wantError(t, "not sent", done, context.DeadlineExceeded)
		}
		<-s.lost
		if got := time.Since(began); got != ubus.StallTimeout {
			t.Errorf("given up after %v", got)
		}
	})
}

func TestAnswersThatNobodyReadsAreNotKeptForEver(t *testing.T) {
	scripted(t, func(t *testing.T, s *script, c *ubus.Client) {
		s.accept()
		body := invocation(9000, "e") // of no object of ours, which is answered each time
		many := bytes.Repeat(ubus.AppendMessage(nil, ubus.Message{Type: ubus.MessageInvoke, Peer: caller, Body: body}), 1000)
		for sent := 0; ; sent++ {
			if _, err := s.conn.Write(many); err != nil {
				break
			}
			if sent > 1000 {
				t.Fatal("a million answers wait in memory")
			}
		}
		if err := <-s.lost; !strings.Contains(err.Error(), "does not take") {
			t.Error(err)
		}
	})
}

func TestASlowListenerLosesEventsAndHoldsUpNobody(t *testing.T) {
	scripted(t, func(t *testing.T, s *script, c *ubus.Client) {
		gate := make(chan struct{})
		var heard []int64
		c.Listen("e", func(_ string, data blobmsg.Fields) {
			<-gate
			n, _ := data.Number("n")
			heard = append(heard, n)
		})
		s.accept()
		s.added(9000)
		m, _ := s.next(ubus.MessageInvoke)
		s.status(m, ubus.StatusOK)
		for n := range 1000 {
			s.send(ubus.MessageInvoke, 1, 0, invocation(9000, "e", blobmsg.F("n", blobmsg.Int(int64(n)))))
			if n == 0 {
				synctest.Wait() // the listener is at work on it
			}
		}
		done := calling(t.Context(), c, "a", "b")
		s.found(5000)
		m, _ = s.next(ubus.MessageInvoke)
		s.status(m, ubus.StatusOK)
		if r := <-done; r.err != nil {
			t.Error(r.err)
		}
		close(gate)
		synctest.Wait()
		if len(heard) != 1+ubus.MaxInbox {
			t.Errorf("%d events were kept", len(heard))
		}
		for i, n := range heard {
			if n != int64(i) {
				t.Fatalf("event %d came as number %d", n, i)
			}
		}
		if len(s.lines) != 1 || !strings.Contains(s.lines[0], "lost") {
			t.Errorf("logged %q", s.lines)
		}
		s.send(ubus.MessageInvoke, 1, 0, invocation(9000, "e", blobmsg.F("n", blobmsg.Int(1000))))
		synctest.Wait()
		if heard[len(heard)-1] != 1000 {
			t.Error("it does not recover")
		}
		// Many long ones do not fill the memory either, and a damaged one is only logged.
		s.send(ubus.MessageInvoke, 1, 0, ubus.AppendNested(ubus.AppendNumber(nil, ubus.AttrObject, 9000), ubus.AttrData, []byte{1}))
		synctest.Wait()
		if len(s.lines) != 2 {
			t.Errorf("logged %q", s.lines)
		}
	})
}

func TestHandlersAreBoundedAndEndWithTheConnection(t *testing.T) {
	scripted(t, func(t *testing.T, s *script, c *ubus.Client) {
		ended := make(chan error, ubus.MaxHandlers)
		c.Publish(&ubus.Object{Path: "o", Methods: []ubus.Method{{Name: "wait",
			Args: []ubus.Arg{{Name: "n", Type: blobmsg.TypeInt32}, {Name: "name", Type: blobmsg.TypeString}},
			Handler: func(ctx context.Context, _ *ubus.Request) (blobmsg.Fields, error) {
				<-ctx.Done()
				ended <- ctx.Err()
				return nil, ctx.Err()
			},
		}}})
		s.accept()
		m, _ := s.next(ubus.MessageAddObject)
		s.send(ubus.MessageData, m.Seq, m.Peer, ubus.AppendNumber(nil, ubus.AttrObject, 9000))
		s.status(m, ubus.StatusOK)
		for seq := range uint16(ubus.MaxHandlers) {
			s.send(ubus.MessageInvoke, seq, caller, invocation(9000, "wait"))
		}
		s.send(ubus.MessageInvoke, 99, caller, invocation(9000, "wait"))
		s.wantStatus(99, caller, 9000, ubus.StatusNoMemory)
		s.conn.Close()
		for range ubus.MaxHandlers {
			<-ended
		}
		s.accept()
		m, _ = s.next(ubus.MessageAddObject)
		s.send(ubus.MessageData, m.Seq, m.Peer, ubus.AppendNumber(nil, ubus.AttrObject, 9000))
		s.status(m, ubus.StatusOK)
		for why, args := range map[string][]byte{
			"a number in place of a string": blobmsg.AppendFields(nil, blobmsg.Fields{blobmsg.F("name", blobmsg.Int(1))}),
			"a string in place of a number": blobmsg.AppendFields(nil, blobmsg.Fields{blobmsg.F("n", blobmsg.String("1"))}),
			"damaged arguments":             {0x85, 0, 0, 9, 0, 1, 'n', 0, 1},
		} {
			body := ubus.AppendText(ubus.AppendNumber(nil, ubus.AttrObject, 9000), ubus.AttrMethod, "wait")
			s.send(ubus.MessageInvoke, 1, caller, ubus.AppendNested(body, ubus.AttrData, args))
			if m, a := s.next(ubus.MessageStatus); m.Seq != 1 || a.Status != ubus.StatusInvalidArgument {
				t.Errorf("%s: %v", why, a.Status)
			}
		}
	})
}

func TestALookupThatNeverEndsDoesNotFillTheMemory(t *testing.T) {
	scripted(t, func(t *testing.T, s *script, c *ubus.Client) {
		s.accept()
		found := make(chan int)
		go func() {
			infos, _ := c.List(t.Context(), "")
			found <- len(infos)
		}()
		m, _ := s.next(ubus.MessageLookup)
		for range 5000 {
			s.send(ubus.MessageData, m.Seq, m.Peer, ubus.AppendText(nil, ubus.AttrPath, "o"))
		}
		s.status(m, ubus.StatusOK)
		if n := <-found; n > 4096 {
			t.Errorf("%d objects are kept", n)
		}
	})
}
