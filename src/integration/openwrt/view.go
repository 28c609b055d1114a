package main

import (
	"fmt"
	"strings"
	"time"
)

// interfaceStatus is what netifd says of an interface.
type interfaceStatus struct {
	Up        bool           `json:"up"`
	Pending   bool           `json:"pending"`
	Available bool           `json:"available"`
	Autostart bool           `json:"autostart"`
	Dynamic   bool           `json:"dynamic"`
	Uptime    int            `json:"uptime"`
	L3Device  string         `json:"l3_device"`
	Proto     string         `json:"proto"`
	Metric    int            `json:"metric"`
	IP4Table  any            `json:"ip4table"` // nil: the main table
	IPv4      []address      `json:"ipv4-address"`
	IPv6      []address      `json:"ipv6-address"`
	Routes    []route        `json:"route"`
	DNS       []string       `json:"dns-server"`
	Data      map[string]any `json:"data"`
	Inactive  struct {
		Routes []route  `json:"route"`
		DNS    []string `json:"dns-server"`
	} `json:"inactive"`
	Errors []struct {
		Subsystem string   `json:"subsystem"`
		Code      string   `json:"code"`
		Data      []string `json:"data"`
	} `json:"errors"`
}

type address struct {
	Address string `json:"address"`
	Mask    int    `json:"mask"`
	Peer    string `json:"ptpaddress"`
}

type route struct {
	Target  string `json:"target"`
	Mask    int    `json:"mask"`
	Nexthop string `json:"nexthop"`
	Metric  int    `json:"metric"`
	Table   any    `json:"table"` // nil: the main table
}

// hasRoute says whether a route to target/mask by a gateway is among those given; "" is any gateway.
func hasRoute(routes []route, target string, mask int, by string) bool {
	for _, r := range routes {
		if r.Target == target && r.Mask == mask && (by == "" || r.Nexthop == by) {
			return true
		}
	}
	return false
}

// code returns the error that netifd shows, "" where it shows none.
func (s interfaceStatus) code() string {
	if len(s.Errors) == 0 {
		return ""
	}
	return s.Errors[len(s.Errors)-1].Code
}

// tunnelStatus is what the daemon says of its tunnel.
type tunnelStatus struct {
	Interface     string `json:"interface"`
	State         string `json:"state"`
	Since         int64  `json:"since"`
	Server        string `json:"server"`
	ServerAddress string `json:"server_address"`
	Uplink        string `json:"uplink"`
	Attempt       int    `json:"attempt"`
	NextRetry     int    `json:"next_retry_ms"`
	TLS           struct {
		Version     string `json:"version"`
		Cipher      string `json:"cipher"`
		VerifiedBy  string `json:"verified_by"`
		Fingerprint string `json:"fingerprint"`
	} `json:"tls"`
	Auth          string `json:"auth"`
	CryptoBinding string `json:"crypto_binding"`
	Device        string `json:"device"`
	MTU           int    `json:"mtu"`
	IPv4          struct {
		Address string   `json:"address"`
		Peer    string   `json:"peer"`
		DNS     []string `json:"dns"`
	} `json:"ipv4"`
	IPv6 struct {
		Address string `json:"address"`
		Peer    string `json:"peer"`
	} `json:"ipv6"`
	Uptime   int `json:"uptime_s"`
	Counters struct {
		RxBytes int64 `json:"rx_bytes"`
		TxBytes int64 `json:"tx_bytes"`
	} `json:"counters"`
	Reconnects int `json:"reconnects"`
	LastError  struct {
		Code    string `json:"code"`
		Stage   string `json:"stage"`
		Message string `json:"message"`
		Hint    string `json:"hint"`
		Time    int64  `json:"time"`
	} `json:"last_error"`
	Warned []struct {
		Option string `json:"option"`
		Text   string `json:"text"`
	} `json:"options_warned"`
	Version string `json:"version"`
	Reach   struct {
		Checked                         int64
		Internet, IPv6, Names, Firewall finding
	} `json:"reach"`
}

// finding is one fact that the daemon has looked up.
type finding struct {
	Key  string   `json:"key"`
	Args []string `json:"args"`
	Text string   `json:"text"`
	OK   bool     `json:"ok"`
}

// interfaceStatus asks netifd.
func (w *world) interfaceStatus(name string) (s interfaceStatus, err error) {
	err = w.router.call(&s, "network.interface."+name, "status", nil)
	return s, err
}

// netifd is interfaceStatus where it must be answered.
func (w *world) netifd(name string) interfaceStatus {
	s, err := w.interfaceStatus(name)
	w.must(err)
	return s
}

// tunnelStatus asks the daemon.
func (w *world) tunnelStatus(name string) (s tunnelStatus, err error) {
	err = w.router.call(&s, "sstp."+name, "status", nil)
	return s, err
}

// tunnel is tunnelStatus where it must be answered.
func (w *world) tunnel(name string) tunnelStatus {
	s, err := w.tunnelStatus(name)
	w.must(err)
	return s
}

// upLimit is how long a tunnel may take to come up when nothing stands in its way.
const upLimit = 20 * time.Second

// waitUp waits until netifd and the daemon both say that a tunnel is up, and the kernel has it so.
func (w *world) waitUp(name string, within time.Duration) time.Duration {
	return w.until(within, name+" is up", func() string { return w.notUp(name) })
}

// notUp says why a tunnel is not up, "" where it is.
func (w *world) notUp(name string) string {
	n, err := w.interfaceStatus(name)
	if err != nil {
		return err.Error()
	}
	t, err := w.tunnelStatus(name)
	if !n.Up {
		return fmt.Sprintf("netifd says it is not up, with error %q; state %s, last error %s %s (%v)", n.code(), t.State, t.LastError.Code, t.LastError.Message, err)
	}
	if t.State != "up" {
		return fmt.Sprintf("netifd says it is up, the daemon %q (%v)", t.State, err)
	}
	return w.wrongInKernel(name)
}

// waitFailed waits until netifd shows an error of a tunnel, and checks that the daemon tells the same and what to do about it.
func (w *world) waitFailed(name, code string, within time.Duration) {
	w.until(within, "netifd and the daemon tell of "+code, func() string {
		n, err := w.interfaceStatus(name)
		switch {
		case err != nil:
			return err.Error()
		case n.Up:
			return "it is up"
		case n.code() != code:
			return fmt.Sprintf("it shows %q", n.code())
		}
		t, err := w.tunnelStatus(name) // netifd may still show the error of an earlier daemon
		if err != nil || t.LastError.Code != code {
			return fmt.Sprintf("the daemon's last error is %q (%v)", t.LastError.Code, err)
		}
		return ""
	})
	n := w.netifd(name)
	e := n.Errors[len(n.Errors)-1]
	w.check(e.Subsystem == "sstp", "netifd's error is of %q, not of sstp", e.Subsystem)
	w.check(len(e.Data) >= 1 && strings.HasSuffix(e.Data[0], "."), "netifd's error says no sentence: %q", e.Data)
	t := w.tunnel(name)
	w.check(t.LastError.Message != "" && t.LastError.Hint != "", "the last error has no message or no hint: %+v", t.LastError)
	w.say("%s: %s Hint: %s", code, t.LastError.Message, t.LastError.Hint)
}

// waitDown waits until a tunnel is down and everything of it is gone: device, process, object.
func (w *world) waitDown(name, device string, within time.Duration) {
	w.until(within, name+" is down and has left nothing behind", func() string {
		n, err := w.interfaceStatus(name)
		switch {
		case err != nil:
			return err.Error()
		case n.Up || n.Pending:
			return fmt.Sprintf("netifd says up %v, pending %v", n.Up, n.Pending)
		case w.router.hasDevice(device):
			return "the device is still there"
		case len(w.router.daemons(name)) > 0:
			return "the daemon still runs"
		case w.router.onBus("sstp." + name):
			return "its object is still on the bus"
		}
		if stray := w.strays(); stray != "" {
			return stray
		}
		return w.left(name)
	})
}

// hasDevice says whether the router has a network device.
func (r *router) hasDevice(name string) bool {
	_, err := r.sh("ip link show dev %s", name)
	return err == nil
}

// oneDaemon checks that exactly one daemon runs for an interface.
func (w *world) oneDaemon(name string) {
	list := w.router.daemons(name)
	w.check(len(list) == 1, "%d daemons run for %s, not one: %v", len(list), name, list)
}

// hotplug returns the events that netifd told scripts of an interface.
func (r *router) hotplug(name string) (events []string) {
	for line := range strings.Lines(r.read("tmp/hotplug.log")) {
		if f := strings.Fields(line); len(f) == 2 && f[1] == name {
			events = append(events, f[0])
		}
	}
	return events
}

// explain prints what helps to see why a scenario failed.
func (w *world) explain() {
	if w.router == nil {
		return
	}
	section := func(title, text string) { fmt.Printf("---- %s\n%s\n", title, strings.TrimRight(text, "\n")) }
	for _, script := range []string{
		"ubus call network.interface.vpn status", "ubus call sstp.vpn status", "ubus call sstp.vpn history",
		"ip addr; ip route; ip -6 route; cat /tmp/resolv.conf.d/resolv.conf.auto", "netstat -tn", "ps w", "cat /tmp/hotplug.log", "logread | tail -n 150",
	} {
		out, _ := w.router.sh("%s", script)
		section(script, out)
	}
	section("output of the router's daemons", w.router.output.String())
	if w.lab != nil {
		section("output of the server", w.lab.Output())
	}
}
