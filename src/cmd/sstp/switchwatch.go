package main

import (
	"context"
	"io"
	"strings"
	"sync"
	"time"

	"sstp/src/blobmsg"
	"sstp/src/config"
	"sstp/src/control"
	"sstp/src/killswitch"
	"sstp/src/session"
)

const (
	switchGlance = 5 * time.Second // whether something has changed
	switchLook   = time.Minute     // in any case
)

// switchWatch looks after a tunnel's kill switch while its daemon runs: the switch holds without it, but somebody may change
// the configuration or stop the firewall.
type switchWatch struct {
	board switchboard
	name  string
	logf  session.Logf
	// changed is called when the configuration or what the firewall has loaded is another one than before.
	changed func()

	mu   sync.Mutex
	last *killswitch.Status // nil: nobody could look yet
}

// status returns what was seen last, nil where nothing was.
func (w *switchWatch) status() *killswitch.Status {
	if w == nil {
		return nil
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.last
}

// run looks when something has changed, and once a minute, until ctx ends.
func (w *switchWatch) run(ctx context.Context) {
	tick := time.NewTicker(switchGlance)
	defer tick.Stop()
	seen, looked := "", time.Time{}
	for {
		if stamp := w.board.firewall.stamp(); stamp != seen || time.Since(looked) >= switchLook {
			if stamp != seen && seen != "" {
				w.changed()
			}
			seen, looked = stamp, time.Now()
			w.look(ctx)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// look takes a look, and tells what is new.
func (w *switchWatch) look(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, switchGlance)
	defer cancel()
	st, err := w.board.inspect(ctx, w.name)
	if err != nil {
		w.logf(config.LogDebug, "kill switch: %v", err)
		return
	}
	w.mu.Lock()
	before := w.last
	w.last = &st
	w.mu.Unlock()
	if before == nil {
		before = &killswitch.Status{On: st.On} // how it was found is no news, what is wrong with it is
	}
	switch {
	case st.On && !before.On:
		w.logf(config.LogInfo, "kill switch on: %s", strings.Join(st.Zones, ", "))
		w.board.firewall.cutForwarded() // somebody else may have turned it on
	case before.On && !st.On:
		w.logf(config.LogInfo, "kill switch off")
	}
	if is := problemTexts(&st); is != problemTexts(before) && is != "" {
		w.logf(config.LogWarn, "kill switch: %s", is)
	}
}

func problemTexts(s *killswitch.Status) string {
	var list []string
	for _, p := range s.Problems {
		list = append(list, p.Text)
	}
	return strings.Join(list, " ")
}

// killSwitch returns the field of a status that tells of a kill switch, for a tunnel whose daemon does not.
func (q inquirer) killSwitch(ctx context.Context, name string) (f blobmsg.Fields) {
	if q.bus == nil {
		return nil
	}
	board := switchboard{uci: uciStore{q.bus}, firewall: routerFirewall()}
	if st, err := board.inspect(ctx, name); err == nil {
		f.AddTable("killswitch", control.KillSwitchFields(&st))
	}
	return f
}

// printKillSwitch prints what a status tells of the kill switch.
func (a *answer) printKillSwitch(w io.Writer) {
	st := a.fields.Table("killswitch")
	if on, _ := st.Flag("on"); on {
		text := "on for " + strings.Join(st.Texts("zones"), ", ")
		if router, _ := st.Flag("router"); router {
			text += " and the router itself"
		}
		if except := st.Texts("except"); except != nil {
			text += ", except " + strings.Join(except, ", ")
		}
		printRow(w, "kill switch", text)
	}
	for _, p := range st.Tables("problems") {
		printRow(w, "warning", "kill switch: "+p.Text("text"))
	}
}
