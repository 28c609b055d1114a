package main

import (
	"slices"
	"strings"
	"testing"
	"time"

	"sstp/src/control"
	"sstp/src/killswitch"
	"sstp/src/session"
	"sstp/src/tunnels"
)

func TestTheArgumentsOfKillswitch(t *testing.T) {
	for line, want := range map[string]string{
		"vpn":                      "takes the name of an interface",
		"vpn maybe":                "takes the name of an interface",
		"vpn on now":               "takes the name of an interface",
		"vpn off --router":         "say how to turn",
		"vpn status --zone lan":    "say how to turn",
		"vpn on --zone":            "option --zone needs a value",
		"vpn on --frobnicate":      "no option --frobnicate",
		"vpn on --zone=a --zone b": "",
		"--json vpn status":        "",
	} {
		_, err := parseSwitch(strings.Fields(line))
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%q: %v, want %q", line, err, want)
		}
	}
	c, _ := parseSwitch(strings.Fields("vpn on --zone=lan --zone guest --except 192.168.1.7 --except=aa:bb:cc:dd:ee:ff --router --no-names"))
	want := killswitch.Request{Tunnel: "vpn", Zones: []string{"lan", "guest"}, Except: []string{"192.168.1.7", "aa:bb:cc:dd:ee:ff"}, Router: true}
	if c.Tunnel != want.Tunnel || !slices.Equal(c.Zones, want.Zones) || !slices.Equal(c.Except, want.Except) || !c.Router || c.Names {
		t.Errorf("%+v", c)
	}
}

func TestTheStatusTellsOfTheKillSwitch(t *testing.T) {
	for _, c := range []struct {
		why  string
		st   *killswitch.Status
		want string
	}{
		{"nobody looked", nil, ""},
		{"off", &killswitch.Status{}, ""},
		{"on", &killswitch.Status{On: true, Request: killswitch.Request{Zones: []string{"lan", "guest"}}}, "  kill switch on for lan, guest\n"},
		{"with all there is", &killswitch.Status{On: true, Request: killswitch.Request{Zones: []string{"lan"}, Except: []string{"192.168.1.7"}, Router: true},
			Problems: []*killswitch.Problem{killswitch.NewProblem("not_loaded")}},
			"  kill switch on for lan and the router itself, except 192.168.1.7\n  warning     kill switch: The firewall does not run: no rule of the kill switch is loaded.\n"},
		{"remains", &killswitch.Status{Problems: []*killswitch.Problem{killswitch.NewProblem("leftover", "sstp_vpn_zone")}},
			"  warning     kill switch: Sections of the kill switch are left, such as sstp_vpn_zone, but not its record.\n"},
	} {
		s := session.Status{KillSwitch: c.st}
		a := answer{&tunnels.Answer{Fields: control.StatusFields(&s, time.Now())}}
		var out lockedBuffer
		a.printKillSwitch(&out)
		if out.String() != c.want {
			t.Errorf("%s: %q, want %q", c.why, out.String(), c.want)
		}
	}
}
