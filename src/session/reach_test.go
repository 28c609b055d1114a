package session

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"sstp/src/config"
	"sstp/src/fault"
	"sstp/src/lab"
)

func (n *fakeHost) checkCount() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return len(n.checks)
}

// check returns look i at the kernel; -1 is the last.
func (n *fakeHost) check(i int) Link {
	n.mu.Lock()
	defer n.mu.Unlock()
	if i < 0 {
		i += len(n.checks)
	}
	return n.checks[i]
}

func (n *fakeHost) setFound(r Reach, err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.found, n.broken = r, err
}

func TestTheKernelIsLookedAtAfterEachLinkUpAndEachMinute(t *testing.T) {
	play(t, lab.Config{}, nil, func(w *world) {
		w.wantUp("first call")
		w.wait(10 * time.Second)
		if n := w.network.checkCount(); n != 1 {
			t.Fatalf("%d looks after the link came up, want one", n)
		}
		if l, up := w.network.check(0), w.network.link(); l.Local != up.Local || l.Device != up.Device {
			t.Errorf("looked for %+v, announced was %+v", l, up)
		}
		w.wait(3 * time.Minute)
		if n := w.network.checkCount(); n != 4 {
			t.Errorf("%d looks after three more minutes, want 4", n)
		}
		w.server.Cut("")
		w.wantUp("the same address again: nobody hears, but somebody may have changed it meanwhile")
		w.wait(time.Second)
		if n := w.network.checkCount(); n != 5 {
			t.Errorf("%d looks after the redial, want 5", n)
		}
	})
}

func TestTheKernelIsLookedAtWhileTheDeviceIsHeldAndNoLonger(t *testing.T) {
	play(t, lab.Config{}, config.Values{"hold": {"100"}}, func(w *world) {
		w.wantUp("first call")
		w.wait(10 * time.Second)
		w.setDown(testServer, true)
		w.server.Cut("")
		w.wait(90 * time.Second)
		if n := w.network.checkCount(); n != 2 {
			t.Errorf("%d looks, want one more while holding", n)
		}
		w.network.setFound(Reach{Internet: Finding{Key: "reach_none", Text: "there is no route"}}, nil)
		w.wait(10 * time.Minute)
		if n := w.network.checkCount(); n != 2 {
			t.Errorf("%d looks, want none after the link was given up", n)
		}
		w.session.Recheck("test")
		w.wait(time.Second)
		if n := w.network.checkCount(); n != 2 {
			t.Error("a look at nothing")
		}
		if r := w.session.Status().Reach; !r.Checked.IsZero() {
			t.Errorf("the status still shows %+v", r)
		}
	})
}

func TestTheStatusSaysNothingThatIsInDoubt(t *testing.T) {
	slow := func(w *world) {
		w.network.takes = time.Second
		w.network.setFound(Reach{Internet: Finding{Key: "reach_tunnel", Text: "through this tunnel", OK: true}}, nil)
	}
	playAfter(t, lab.Config{}, nil, slow, func(w *world) {
		w.wantUp("first call")
		w.wait(5 * time.Second)
		shown := func() string { return w.session.Status().Reach.Internet.Key }
		if shown() != "reach_tunnel" {
			t.Fatalf("the status shows %q", shown())
		}
		before := len(w.session.History())
		w.session.Doubt()
		if shown() != "" {
			t.Error("the status shows what may no longer be so")
		}
		w.session.Recheck("test")
		w.wait(500 * time.Millisecond)
		w.session.Doubt()
		w.session.Recheck("test, in the middle of a look")
		w.wait(time.Second)
		if shown() != "" {
			t.Error("a look that began before the doubt has settled it")
		}
		w.wait(time.Second)
		if shown() != "reach_tunnel" {
			t.Errorf("after the look the status shows %q", shown())
		}
		if n := len(w.session.History()); n != before {
			t.Errorf("%d entries in the history for looks that found nothing new", n-before)
		}
	})
}

func TestManyRechecksAreOneLook(t *testing.T) {
	slow := func(w *world) { w.network.takes = time.Second }
	playAfter(t, lab.Config{}, nil, slow, func(w *world) {
		w.wantUp("first call")
		w.wait(5 * time.Second)
		before := w.network.checkCount()
		for i := range 100 {
			w.session.Recheck(fmt.Sprint("change ", i))
		}
		w.wait(10 * time.Second)
		if n := w.network.checkCount() - before; n != 2 {
			t.Errorf("%d looks for 100 changes at once, want the one that began with the first and one after the last", n)
		}
	})
}

func TestWhatALookFindsIsInTheStatusAndItsChangesInLogAndHistory(t *testing.T) {
	play(t, lab.Config{}, nil, func(w *world) {
		good := Reach{Internet: Finding{Key: "reach_tunnel", Text: "through this tunnel", OK: true}}
		w.network.setFound(good, nil)
		w.wantUp("first call")
		w.wait(time.Second)
		if r := w.session.Status().Reach; r.Internet.Key != "reach_tunnel" || r.Checked.IsZero() {
			t.Fatalf("the status shows %+v", r)
		}
		bad := Reach{
			Internet: Finding{Key: "reach_other", Args: []string{"wan", "its metric is lower"}, Text: "by wan, although the tunnel is up: its metric is lower"},
			Repaired: []string{"The address 10.0.0.2 was missing and is set again."},
		}
		w.network.setFound(bad, nil)
		w.session.Recheck("test")
		w.wait(time.Second)
		w.session.Recheck("test")
		w.wait(time.Second)
		history := ""
		for _, e := range w.session.History() {
			history += e.Text + "\n"
		}
		for _, text := range []string{"Internet: by wan, although the tunnel is up: its metric is lower", "repaired: The address 10.0.0.2 was missing and is set again."} {
			want := 1
			if strings.HasPrefix(text, "repaired") {
				want = 2
			}
			if n := strings.Count(history, text); n != want {
				t.Errorf("%d times %q in the history, want %d:\n%s", n, text, want, history)
			}
			if n := strings.Count(w.logText(), text); n != want {
				t.Errorf("%d times %q in the log, want %d", n, text, want)
			}
		}
		if r := w.session.Status().Reach; !slices.Equal(r.Internet.Args, bad.Internet.Args) || r.Internet.OK {
			t.Errorf("the status shows %+v", r)
		}
	})
}

func TestALinkThatTheKernelCannotKeepEndsTheCallAndIsAnnouncedAnew(t *testing.T) {
	play(t, lab.Config{}, nil, func(w *world) {
		w.wantUp("first call")
		w.wait(time.Minute)
		w.network.setFound(Reach{}, fault.New(fault.NetifdRefused, fault.StageNetwork, "The kernel does not take the address."))
		w.session.Recheck("test")
		w.wantError("the look says so", fault.NetifdRefused, 10*time.Second)
		w.network.setFound(Reach{}, nil)
		w.wait(10 * time.Second)
		w.wantUp("second call")
		if ups, _ := w.network.counts(); ups != 2 {
			t.Errorf("the network was told %d times, want the same link announced again", ups)
		}
	})
}

func TestALookThatFailsChangesNothing(t *testing.T) {
	play(t, lab.Config{}, nil, func(w *world) {
		w.wantUp("first call")
		w.network.setFound(Reach{}, errors.New("no answer"))
		w.session.Recheck("test")
		w.wait(10 * time.Second)
		if st := w.session.Status(); st.State != Up || st.Reconnects != 0 || st.LastError != nil {
			t.Errorf("state %s, %d reconnections, %v", st.State, st.Reconnects, st.LastError)
		}
	})
}

// TestTheStatusAnswersWhileTheLoopWaits: whoever asks is not to wait for a log, a netifd or a kernel that hangs.
func TestTheStatusAnswersWhileTheLoopWaits(t *testing.T) {
	play(t, lab.Config{}, nil, func(w *world) {
		w.wantUp("first call")
		w.mu.Lock() // the log hangs, and the loop with it
		w.server.Cut("")
		answered := make(chan State, 1)
		go func() {
			w.session.History()
			answered <- w.session.Status().State
		}()
		if st := <-answered; st != Up {
			t.Errorf("the status says %s, want up: the loop has not come further", st)
		}
		w.mu.Unlock()
		w.wantUp("the log goes on")
	})
}
