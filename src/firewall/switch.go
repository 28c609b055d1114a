// Package firewall turns kill switches on and off in a router's configuration, and compares them with what its firewall has
// loaded. What a kill switch consists of is package killswitch's business.
package firewall

import (
	"context"
	"time"

	"sstp/src/fault"
	"sstp/src/killswitch"
	"sstp/src/netifd"
	"sstp/src/uci"
)

// Switch turns kill switches on and off.
type Switch struct {
	UCI      uci.Store
	Firewall System
}

// Turn turns a switch on or off, as a whole or not at all.
func (s Switch) Turn(ctx context.Context, on bool, r killswitch.Request) error {
	for _, config := range uci.Configs {
		if err := s.UCI.Unstaged(ctx, config); err != nil {
			return err
		}
	}
	before, err := s.UCI.State(ctx)
	if err != nil {
		return err
	}
	after := killswitch.Off(before, r.Tunnel)
	if on {
		if p := s.Firewall.missing(); p != nil {
			return refusal(p)
		}
		if after, err = killswitch.On(before, r); err != nil {
			return refusal(err)
		}
	}
	changes := killswitch.Changes(before, after)
	if len(changes) == 0 {
		return nil
	}
	began := time.Now()
	if err := s.UCI.Replace(ctx, before, after, changes); err != nil {
		return err
	}
	// rpcd has told procd, which makes firewall and network read what is new, one after the other and when it has the time.
	if uci.Concern(changes, "network") {
		_, _ = s.UCI.Bus.Call(ctx, "network", "reload", nil)
	}
	if err := s.Firewall.await(ctx, began, killswitch.Inspect(after, r.Tunnel).Rules); err != nil {
		return err
	}
	if on {
		s.Firewall.cutForwarded()
	}
	return nil
}

// Inspect returns the state of a switch, in the configuration and in the kernel.
func (s Switch) Inspect(ctx context.Context, tunnel string) (killswitch.Status, error) {
	state, err := s.UCI.State(ctx)
	if err != nil {
		return killswitch.Status{}, err
	}
	st := killswitch.Inspect(state, tunnel)
	if st.On {
		if p := s.Firewall.lacks(st.Rules); p != nil {
			st.Problems = append(st.Problems, p)
		}
	}
	return st, nil
}

// refusal returns the error of a switch that cannot be turned on.
func refusal(err error) error {
	f := fault.Plain(fault.InvalidOptions, fault.StageConfig, err.Error()).Wrap(err)
	f.Hint = "Nothing was changed."
	return f
}

// NameServers returns a function that returns the uplinks' name servers: those that netifd tells of, and those that a kill
// switch has taken away.
func NameServers(bus uci.Bus, iface *netifd.Interface) func(context.Context) ([]netifd.NameServer, error) {
	return func(ctx context.Context) ([]netifd.NameServer, error) {
		records := uci.Store{Bus: bus}.Records(ctx)
		return iface.NameServers(ctx, killswitch.NameServers(killswitch.State{Firewall: records}))
	}
}
