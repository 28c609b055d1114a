package netifd

import (
	"slices"
	"testing"

	"sstp/src/fault"
	"sstp/src/ubus"
)

// errors returns the code and the details that netifd shows.
func (w *world) errors() (list []string) {
	for _, e := range w.netifd.Iface("vpn").Errors {
		list = append(append(list, e.Text("code")), e.Texts("data")...)
	}
	return list
}

func TestAFailureIsShownWithItsSentenceAndItsHint(t *testing.T) {
	play(t, nil, func(w *world) {
		w.iface.Failed(w.Context(), fault.New(fault.AuthFailed, fault.StageAuth, "The server refused the password."))
		if got := w.errors(); !slices.Equal(got, []string{"AUTH_FAILED", "The server refused the password.", "Check username and password."}) {
			w.Errorf("netifd shows %q", got)
		}
		w.iface.Failed(w.Context(), fault.New(fault.ConnectTimeout, fault.StageConnect, "Nothing answered.").WithHint(""))
		if got := w.errors(); !slices.Equal(got, []string{"CONNECT_TIMEOUT", "Nothing answered."}) {
			w.Errorf("netifd shows %q, want the last failure alone", got)
		}
	})
}

func TestTheFailureOfALostCallIsShownOnlyWhenTheLinkGoes(t *testing.T) {
	play(t, nil, func(w *world) {
		if err := w.iface.Up(w.Context(), testLink()); err != nil {
			w.Fatal(err)
		}
		w.iface.Failed(w.Context(), fault.New(fault.PeerSilent, fault.StageUp, "The server fell silent."))
		if got := w.errors(); got != nil {
			w.Errorf("while the link is held, netifd shows %q: it would forget that only with the next link-up", got)
		}
		if err := w.iface.Down(w.Context()); err != nil {
			w.Fatal(err)
		}
		if got := w.errors(); len(got) == 0 || got[0] != "PEER_SILENT" {
			w.Errorf("after hold netifd shows %q, want the reason", got)
		}
		if err := w.iface.Up(w.Context(), testLink()); err != nil {
			w.Fatal(err)
		}
		w.iface.Failed(w.Context(), fault.New(fault.PeerSilent, fault.StageUp, "The server fell silent."))
		if err := w.iface.Up(w.Context(), testLink()); err != nil { // with another address
			w.Fatal(err)
		}
		if err := w.iface.Down(w.Context()); err != nil {
			w.Fatal(err)
		}
		if got := w.errors(); got != nil {
			w.Errorf("netifd shows %q of a call that is long back", got)
		}
	})
}

func TestARestartIsBlocked(t *testing.T) {
	play(t, nil, func(w *world) {
		if err := w.iface.BlockRestart(w.Context()); err != nil || !w.netifd.Iface("vpn").NoAutostart {
			w.Errorf("the interface would start by itself (%v)", err)
		}
		w.netifd.Change(func() { w.netifd.Refuse["notify_proto 4"] = ubus.StatusNotFound })
		w.wantFault("netifd does not know us", w.iface.BlockRestart(w.Context()), fault.NetifdRefused, "leave the interface down")
	})
}
