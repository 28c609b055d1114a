package main

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// What the router's kernel has, read with this machine's ip in the router's network. netifd and the daemon say what they
// believe; the packets go where the kernel sends them.

// kernelDevice is a network device of the kernel.
type kernelDevice struct {
	Name      string   `json:"ifname"`
	Flags     []string `json:"flags"`
	MTU       int      `json:"mtu"`
	Addresses []struct {
		Family string `json:"family"`
		Local  string `json:"local"`
		Peer   string `json:"address"`
		Bits   int    `json:"prefixlen"`
	} `json:"addr_info"`
}

// kernelRoute is a route of the kernel. Dst is "default", an address, or a network.
type kernelRoute struct {
	Type     string `json:"type"`
	Dst      string `json:"dst"`
	Gateway  string `json:"gateway"`
	Device   string `json:"dev"`
	Protocol string `json:"protocol"`
	Source   string `json:"prefsrc"`
	Table    string `json:"table"`
	Metric   int    `json:"metric"`
}

// ip runs this machine's ip in the router's network and reads its JSON.
func (w *world) ip(into any, args ...string) error {
	out, err := w.router.net.run(append([]string{"ip", "-j"}, args...)...)
	if err != nil || strings.TrimSpace(out) == "" {
		return err
	}
	return json.Unmarshal([]byte(out), into)
}

// kernelDevices returns the router's devices.
func (w *world) kernelDevices() (list []kernelDevice) {
	w.must(w.ip(&list, "addr", "show"))
	return list
}

// routesOf returns the kernel's routes of one family, "-4" or "-6", of all tables, without those of its own addresses.
func (w *world) routesOf(family string) (list []kernelRoute) {
	w.must(w.ip(&list, family, "route", "show", "table", "all"))
	return slices.DeleteFunc(list, func(r kernelRoute) bool { return r.Table == "local" })
}

// way returns the device by which the router sends a packet to an address, "" where it has no route. from are further
// arguments of ip route get.
func (w *world) way(to string, from ...string) string {
	var list []kernelRoute
	family := "-4"
	if isIPv6(to) {
		family = "-6"
	}
	err := w.ip(&list, append([]string{family, "route", "get", to}, from...)...)
	if err != nil || len(list) == 0 || (list[0].Type != "" && list[0].Type != "unicast") {
		return ""
	}
	return list[0].Device
}

// anywhere are addresses of the internet, in several parts of it: some thing may have a route to a half or to a host.
var anywhere = []string{"8.8.8.8", "100.64.7.7", behindAddress, publicAddress}

// waysOut returns, for each address of anywhere and from the router as from the LAN, the devices by which packets leave.
func (w *world) waysOut() map[string]string {
	ways := map[string]string{}
	for _, to := range anywhere {
		ways["from the router to "+to] = w.way(to)
		ways["from the LAN to "+to] = w.way(to, "from", lanAddress, "iif", lanDevice)
	}
	return ways
}

// lanDevice is the router's device on the LAN.
const lanDevice = "eth0"

// wrongInKernel says in what the kernel differs from what netifd says of a tunnel, "" where in nothing: the device is there
// and up with the addresses, packets go where netifd's routes say, and no route leads past the tunnel but to its server.
// Where netifd says that the interface is down, nothing of it may be left.
func (w *world) wrongInKernel(name string) string {
	n, err := w.interfaceStatus(name)
	if err != nil {
		return err.Error()
	}
	if stray := w.strays(); stray != "" {
		return stray
	}
	if !n.Up {
		return w.left(name)
	}
	devices := w.kernelDevices()
	i := slices.IndexFunc(devices, func(d kernelDevice) bool { return d.Name == n.L3Device })
	if i < 0 {
		return "the kernel has no device " + n.L3Device
	}
	d := devices[i]
	if !slices.Contains(d.Flags, "UP") {
		return fmt.Sprintf("the kernel has the device %s down: %v", d.Name, d.Flags)
	}
	if why := addressesDiffer(d, n); why != "" {
		return why
	}
	return w.wrongWays(name, n)
}

// addressesDiffer says in what a device's IPv4 addresses are not those that netifd has.
func addressesDiffer(d kernelDevice, n interfaceStatus) string {
	var have, want []string
	for _, a := range d.Addresses {
		if a.Family == "inet" {
			have = append(have, a.Local+" "+a.Peer)
		}
	}
	for _, a := range n.IPv4 {
		want = append(want, a.Address+" "+a.Peer)
	}
	slices.Sort(have)
	slices.Sort(want)
	if len(want) == 0 || !slices.Equal(have, want) {
		return fmt.Sprintf("the kernel's addresses of %s are %q, netifd's %q", d.Name, have, want)
	}
	return ""
}

// wrongWays says which packets take another way than the routes that netifd has of all interfaces.
func (w *world) wrongWays(name string, n interfaceStatus) string {
	t, err := w.tunnelStatus(name)
	if err != nil {
		return err.Error()
	}
	ours, device := w.defaultIsOurs(name, n), n.L3Device
	ways := w.waysOut()
	for what, by := range ways {
		if ours != (by == device) {
			return fmt.Sprintf("packets %s leave by %q, the tunnel's device is %s (its default route shall be used: %v)", what, by, device, ours)
		}
	}
	if key := t.Reach.Internet.Key; key != "" && ours != (key == reachTunnel) && t.State == "up" {
		return fmt.Sprintf("the status says %q (%s), packets leave by %v", t.Reach.Internet.Text, key, ways)
	}
	return ""
}

// reachTunnel is the status's key of traffic that goes through the tunnel.
const reachTunnel = "reach_tunnel"

// defaultIsOurs reports whether the default route of a tunnel is the one to be used: it is in the main table, and no other
// interface's has a better metric.
func (w *world) defaultIsOurs(name string, n interfaceStatus) bool {
	own := mainDefault(n)
	if own < 0 {
		return false
	}
	var dump struct {
		Interface []struct {
			interfaceStatus
			Name string `json:"interface"`
		}
	}
	w.must(w.router.call(&dump, "network.interface", "dump", nil))
	for _, other := range dump.Interface {
		if m := mainDefault(other.interfaceStatus); other.Name != name && other.Up && m >= 0 && m < own {
			return false
		}
	}
	return true
}

// mainDefault returns the metric of an interface's IPv4 default route in the main table, -1 where it has none.
func mainDefault(n interfaceStatus) int {
	for _, r := range n.Routes {
		if r.Target == "0.0.0.0" && r.Mask == 0 && r.Table == nil && n.IP4Table == nil {
			if r.Metric != 0 {
				return r.Metric
			}
			return n.Metric
		}
	}
	return -1
}

// wayProtocol is the protocol of the routes and rules that keep a tunnel's own connection on its uplink. They are for sockets
// that are bound to that uplink, in a table of their own.
const wayProtocol = "83"

// strays names a route to a single host past the tunnels, "" where there is none. The tunnels' own connections may have routes
// of their own: to the addresses at which their servers are connected, and while somebody dials, to others.
func (w *world) strays() string {
	var servers []string
	dialing := false
	for _, name := range w.tunnels() {
		if len(w.router.daemons(name)) == 0 {
			continue
		}
		t, err := w.tunnelStatus(name)
		if err != nil || t.State != "up" {
			dialing = true
			continue
		}
		if at, err := netip.ParseAddrPort(t.ServerAddress); err == nil {
			servers = append(servers, at.Addr().String())
		}
	}
	for _, family := range []string{"-4", "-6"} {
		for _, r := range w.routesOf(family) {
			host := r.Dst != "default" && !strings.Contains(r.Dst, "/")
			if !host || r.Protocol == "kernel" || strings.HasPrefix(r.Device, "sstp-") || r.Device == "lo" {
				continue
			}
			if r.Protocol != wayProtocol || r.Table == "" || !dialing && !slices.Contains(servers, r.Dst) {
				return fmt.Sprintf("a route to the host %s by %s %s (table %q, protocol %s) leads past the tunnel; the servers are at %v",
					r.Dst, r.Gateway, r.Device, r.Table, r.Protocol, servers)
			}
		}
		var rules []struct {
			Priority        int
			Protocol, Table string
		}
		w.must(w.ip(&rules, family, "rule", "show"))
		for _, r := range rules {
			if r.Protocol == wayProtocol && !dialing && len(servers) == 0 {
				return fmt.Sprintf("a rule of a tunnel's connection is left (priority %d, table %s)", r.Priority, r.Table)
			}
		}
	}
	return ""
}

// tunnels names the interfaces of protocol sstp that netifd has.
func (w *world) tunnels() (names []string) {
	var dump struct {
		Interface []struct {
			Name  string `json:"interface"`
			Proto string
		}
	}
	if err := w.router.call(&dump, "network.interface", "dump", nil); err != nil {
		return nil
	}
	for _, i := range dump.Interface {
		if i.Proto == "sstp" {
			names = append(names, i.Name)
		}
	}
	return names
}

// left says what of an interface that is down is still there, "" where nothing is: no device, no name server, no rule, and
// the default route is an uplink's where one is up.
func (w *world) left(name string) string {
	for _, d := range w.kernelDevices() {
		if d.Name == "sstp-"+name {
			return "the kernel still has the device " + d.Name
		}
	}
	if text := w.router.read("tmp/resolv.conf.d/resolv.conf.auto"); strings.Contains(text, "# Interface "+name+"\n") {
		return "its name servers are still there:\n" + text
	}
	for _, uplink := range []string{"wan", "wanb"} {
		n, err := w.interfaceStatus(uplink)
		if err != nil || !n.Up || mainDefault(n) < 0 {
			continue
		}
		for what, by := range w.waysOut() {
			if closed := w.switched && strings.HasPrefix(what, "from the LAN"); closed != (by == "") {
				return fmt.Sprintf("packets %s leave by %q, while %s is up and the kill switch on: %v", what, by, uplink, w.switched)
			}
		}
	}
	return ""
}

// settle is how long the kernel may differ from what netifd says: a repair takes a moment.
const settle = 5 * time.Second

// kernelAgrees waits until the kernel has what netifd says of all tunnels. Each scenario ends with it.
func (w *world) kernelAgrees() {
	if w.router == nil || !w.router.onBus("network.interface") {
		return
	}
	for _, name := range w.tunnels() {
		w.until(settle, "the kernel has of "+name+" what netifd says", func() string { return w.wrongInKernel(name) })
	}
}
