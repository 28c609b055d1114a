package firewall

import (
	"context"
	"strings"
	"sync"
	"time"

	"sstp/src/config"
	"sstp/src/killswitch"
)

const (
	switchGlance = 5 * time.Second // between two looks for changes
	switchLook   = time.Minute     // between two inspections without a change
)

// Watch watches a tunnel's kill switch while the daemon runs. The switch holds without it, but somebody may change the
// configuration or stop the firewall.
type Watch struct {
	Switch
	Tunnel string
	Log    func(level config.LogLevel, format string, args ...any)
	// Changed is called when the configuration changes, or what the firewall has loaded.
	Changed func()

	mu   sync.Mutex
	last *killswitch.Status // nil: nobody could look yet
}

// Status returns the result of the last inspection, nil before the first. w may be nil.
func (w *Watch) Status() *killswitch.Status {
	if w == nil {
		return nil
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.last
}

// Run inspects the switch when something has changed, and once a minute, until ctx ends.
func (w *Watch) Run(ctx context.Context) {
	tick := time.NewTicker(switchGlance)
	defer tick.Stop()
	seen, looked := "", time.Time{}
	for {
		if stamp := w.Firewall.stamp(); stamp != seen || time.Since(looked) >= switchLook {
			if stamp != seen && seen != "" {
				w.Changed()
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

// look inspects the switch and logs what is new.
func (w *Watch) look(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, switchGlance)
	defer cancel()
	st, err := w.Inspect(ctx, w.Tunnel)
	if err != nil {
		w.Log(config.LogDebug, "kill switch: %v", err)
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
		w.Log(config.LogInfo, "kill switch on: %s", strings.Join(st.Zones, ", "))
		w.Firewall.cutForwarded() // somebody else may have turned it on
	case before.On && !st.On:
		w.Log(config.LogInfo, "kill switch off")
	}
	if is := problemTexts(&st); is != problemTexts(before) && is != "" {
		w.Log(config.LogWarn, "kill switch: %s", is)
	}
}

func problemTexts(s *killswitch.Status) string {
	var list []string
	for _, p := range s.Problems {
		list = append(list, p.Text)
	}
	return strings.Join(list, " ")
}
