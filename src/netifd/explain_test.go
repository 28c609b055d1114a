package netifd

import (
	"strings"
	"testing"

	"sstp/src/blobmsg"
	"sstp/src/netifd/netifdtest"
	"sstp/src/ubus"
)

func TestATunnelThatIsNotThereIsExplained(t *testing.T) {
	sstp := func(n *netifdtest.Netifd, options ...string) {
		n.Configure("network", "interface", "vpn", append([]string{"proto", "sstp"}, options...)...)
	}
	iface := func(n *netifdtest.Netifd, i netifdtest.Iface) {
		i.Name = "vpn"
		if i.Proto == "" {
			i.Proto = "sstp"
		}
		n.Set(&i)
	}
	for name, c := range map[string]struct {
		world func(n *netifdtest.Netifd)
		state string
		text  string
		hint  string
		last  string
	}{
		"nobody knows it":      {func(n *netifdtest.Netifd) { n.Remove("vpn") }, StateUnknown, "no interface vpn", "spelling", ""},
		"it is something else": {func(n *netifdtest.Netifd) { iface(n, netifdtest.Iface{Proto: "pppoe", Up: true}) }, StateUnknown, "of protocol pppoe", "", ""},
		"it is configured so": {func(n *netifdtest.Netifd) {
			n.Remove("vpn")
			n.Configure("network", "interface", "vpn", "proto", "dhcp")
		}, StateUnknown, "of protocol dhcp", "", ""},
		"it is disabled":         {func(n *netifdtest.Netifd) { n.Remove("vpn"); sstp(n, "disabled", "1") }, StateDisabled, "option disabled", "uci delete network.vpn.disabled", ""},
		"netifd has not read it": {func(n *netifdtest.Netifd) { n.Remove("vpn"); sstp(n) }, StateUnread, "not read", "reload", ""},
		"netifd has no handler":  {func(n *netifdtest.Netifd) { sstp(n); iface(n, netifdtest.Iface{Proto: "none"}) }, StateDown, "does not know the protocol", "restart", ""},
		"it does not start at boot": {func(n *netifdtest.Netifd) {
			sstp(n, "auto", "0")
			iface(n, netifdtest.Iface{NoAutostart: true})
		}, StateStopped, "option auto", "ifup vpn", ""},
		"it gave up": {func(n *netifdtest.Netifd) {
			sstp(n)
			iface(n, netifdtest.Iface{NoAutostart: true, Errors: []blobmsg.Fields{{blobmsg.F("subsystem", blobmsg.String("sstp")), blobmsg.F("code", blobmsg.String("AUTH_FAILED")),
				blobmsg.F("data", blobmsg.Array(blobmsg.String("The server refused the password."), blobmsg.String("Check it.")))}}})
		}, StateStopped, "was stopped", "ifup vpn", "AUTH_FAILED/The server refused the password./Check it."},
		"an error of netifd's own": {func(n *netifdtest.Netifd) {
			iface(n, netifdtest.Iface{Errors: []blobmsg.Fields{{blobmsg.F("subsystem", blobmsg.String("interface")), blobmsg.F("code", blobmsg.String("NO_DEVICE"))}}})
		}, StateDown, "is down", "logread", ""},
		"an error without a sentence": {func(n *netifdtest.Netifd) {
			iface(n, netifdtest.Iface{Errors: []blobmsg.Fields{{blobmsg.F("subsystem", blobmsg.String("sstp")), blobmsg.F("code", blobmsg.String("TUN_FAILED"))}}})
		}, StateDown, "is down", "logread", "TUN_FAILED//"},
		"it is being started": {func(n *netifdtest.Netifd) {}, StateStarting, "being started", "logread", ""},
		"its program hangs":   {func(n *netifdtest.Netifd) { iface(n, netifdtest.Iface{Up: true}) }, StateUp, "does not answer", "logread", ""},
		"netifd does not run": {func(n *netifdtest.Netifd) {
			n.Change(func() { n.Refuse["status"], n.Refuse["dump"] = ubus.StatusNotFound, ubus.StatusNotFound })
		}, StateUnknown, "does not run, or only root", "service network restart", ""},
		"netifd is confused": {func(n *netifdtest.Netifd) { n.Change(func() { n.Refuse["status"] = ubus.StatusUnknownError }) }, StateUnknown, "does not tell", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			play(t, nil, func(w *world) {
				c.world(w.netifd)
				e := Explain(w.Context(), w.client, "vpn")
				last := ""
				if e.Error != nil {
					last = e.Error.Code + "/" + e.Error.Message + "/" + e.Error.Hint
				}
				if e.State != c.state || !strings.Contains(e.Text, c.text) || !strings.Contains(e.Hint, c.hint) || last != c.last {
					w.Errorf("got %+v, last error %q; want %s, %q, %q, %q", e, last, c.state, c.text, c.hint, c.last)
				}
			})
		})
	}
}

func TestWithoutABusThereIsSomethingToSayToo(t *testing.T) {
	play(t, nil, func(w *world) {
		w.netifd.Bus.Stop()
		w.wait(0)
		if e := Explain(w.Context(), w.client, "vpn"); e.State != StateUnknown || !strings.Contains(e.Hint, "sstp up") {
			w.Errorf("got %+v", e)
		}
	})
}
