package netifd

import (
	"context"

	"sstp/src/blobmsg"
	"sstp/src/config"
	"sstp/src/fault"
)

// Failed shows a failure in the interface's status: its code, which LuCI translates, its sentence and its hint. While
// netifd has the link, it is kept back until that is taken down: netifd forgets errors only when a link comes up, so
// one of a lost call that came back at once would stay for ever.
func (i *Interface) Failed(ctx context.Context, f *fault.Error) {
	i.mu.Lock()
	up := i.up
	if up {
		i.owed = f
	}
	i.mu.Unlock()
	if up {
		return
	}
	details := []string{string(f.Code), f.Message}
	if f.Hint != "" {
		details = append(details, f.Hint)
	}
	var report blobmsg.Fields
	report.AddTexts("error", details)
	if err := i.notify(ctx, actionError, report); err != nil {
		i.o.Log(config.LogDebug, "netifd was not told of %s: %v", f.Code, err)
	}
}

// BlockRestart keeps netifd from starting the interface again before somebody wants it or changes its options.
func (i *Interface) BlockRestart(ctx context.Context) error {
	if err := i.notify(ctx, actionBlockRestart, nil); err != nil {
		return i.refused("to leave the interface down", err)
	}
	return nil
}
