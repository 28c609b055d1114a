// Package reach judges where traffic really goes from facts that others have looked up in the kernel and in files. Each finding
// has an English sentence and, for translation, a key that never changes.
package reach

import (
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Finding is one fact that was looked up. The zero value means that it was not.
type Finding struct {
	Key  string   // names the finding for translation and never changes
	Args []string // what the sentence of Key is filled with
	Text string   // the sentence in English
	OK   bool     // false is a warning
}

// Equal reports whether two findings are the same.
func (f Finding) Equal(g Finding) bool {
	return f.Key == g.Key && f.OK == g.OK && f.Text == g.Text && slices.Equal(f.Args, g.Args)
}

// Report is where traffic really goes. The zero value means that nothing has been looked up yet.
type Report struct {
	Checked                         time.Time
	Internet, IPv6, Names, Firewall Finding
	Repaired                        []string // what this look repaired, one sentence each
}

// NamedFinding is a finding under the name that the status and the log give it.
type NamedFinding struct {
	Name, Field string
	Finding
}

// Findings returns the findings of a report in the order in which they are shown.
func (r *Report) Findings() [4]NamedFinding {
	return [...]NamedFinding{
		{"Internet", "internet", r.Internet}, {"IPv6", "ipv6", r.IPv6}, {"Names", "names", r.Names}, {"Firewall", "firewall", r.Firewall},
	}
}

// Keys of findings.
const (
	Tunnel       = "reach_tunnel"
	Other        = "reach_other"        // interface, cause
	OtherWanted  = "reach_other_wanted" // interface
	Table        = "reach_table"        // table
	None         = "reach_none"
	Refused      = "reach_refused"
	None6        = "reach6_none"
	Other6       = "reach6_other" // interface
	NamesTunnel  = "names_tunnel"
	NamesUplink  = "names_uplink" // interface
	NamesBoth    = "names_both"   // interface
	NamesOwn     = "names_own"    // servers
	NamesNone    = "names_none"
	ZoneOK       = "zone_ok"         // zone
	ZoneNone     = "zone_none"       // interface
	ZoneIsolated = "zone_no_forward" // zone
)

func finding(ok bool, key, text string, args ...string) Finding {
	for n, arg := range args {
		text = strings.ReplaceAll(text, "{"+strconv.Itoa(n)+"}", arg)
	}
	return Finding{Key: key, Args: args, Text: text, OK: ok}
}

// Samples are addresses all over the internet, in both halves of the address space. The kernel is asked where it would send
// packets to them; none is ever sent.
var Samples = []netip.Addr{
	netip.AddrFrom4([4]byte{23, 192, 0, 1}), netip.AddrFrom4([4]byte{62, 115, 0, 1}), netip.AddrFrom4([4]byte{101, 32, 0, 1}),
	netip.AddrFrom4([4]byte{141, 95, 0, 1}), netip.AddrFrom4([4]byte{185, 60, 216, 1}), netip.AddrFrom4([4]byte{212, 58, 224, 1}),
}

// Samples6 are Samples of IPv6.
var Samples6 = []netip.Addr{
	netip.AddrFrom16([16]byte{0x20, 0x01, 0x12, 0x48, 15: 1}), netip.AddrFrom16([16]byte{0x24, 0x08, 0x80, 15: 1}),
	netip.AddrFrom16([16]byte{0x26, 0x20, 0, 0xfe, 15: 1}), netip.AddrFrom16([16]byte{0x2a, 0x02, 0x26, 0xf0, 15: 1}),
}

// Query asks for the way of packets to one address.
type Query struct {
	To     netip.Addr
	From   netip.Addr // source address; may be invalid unless In is set
	In     string     // device by which forwarded packets come in; empty: packets of this machine
	Device string     // device to which the socket is bound; empty: none
}

// Route is an entry of a routing table. As a Query's answer it is the one that the kernel applies.
type Route struct {
	Dst     netip.Prefix
	Gateway netip.Addr // invalid: the destination is on the link
	Device  string
	Metric  int
	Source  netip.Addr // address of ours to speak from; invalid: the kernel's choice
	Table   uint32     // 0: the main table
	Local   bool       // the address is the machine's own; such a route cannot be added
}

// Way is the route that the kernel applies to packets to one address.
type Way struct {
	Route        // without a Device: there is none
	From  string // the interface by which the packets come in; empty: they are the machine's own
}

// MainTable is the number of the kernel's main table.
const MainTable = 254

// exception reports whether a route leads to such a small part of the internet that it is an exception that the user wants. A
// kernel that does not report its table's routes answers with a route to the single address.
func (w *Way) exception() bool {
	bits := w.Dst.Bits()
	if w.Dst.Addr().Is4() {
		return bits > 8 && bits < 32
	}
	return bits > 16 && bits < 128
}

// Ways asks for the way to each of the addresses and leaves out exceptions.
func Ways(to []netip.Addr, ask func(to netip.Addr) (Route, error)) (ways []Way) {
	for _, addr := range to {
		r, err := ask(addr)
		if err != nil {
			r = Route{}
		}
		if w := (Way{Route: r}); w.Device == "" || !w.exception() {
			ways = append(ways, w)
		}
	}
	return ways
}

// Ways6 asks for the ways to Samples6. If routes depend on the source address, as netifd makes them with several uplinks, the
// kernel has ways only from the machine's global addresses, which are given by device. Otherwise from is invalid.
func Ways6(global map[string]netip.Addr, ask func(to, from netip.Addr) (Route, error)) []Way {
	ways := Ways(Samples6, func(to netip.Addr) (Route, error) { return ask(to, netip.Addr{}) })
	for _, device := range slices.Sorted(maps.Keys(global)) { // in an order, so that findings do not change by themselves
		ways = append(ways, Ways(Samples6[:1], func(to netip.Addr) (Route, error) { return ask(to, global[device]) })...)
	}
	return ways
}

// Foreign returns the first way that does not lead to a device, nil if all do.
func Foreign(ways []Way, device string) *Way {
	for n := range ways {
		if d := ways[n].Device; d != "" && d != device {
			return &ways[n]
		}
	}
	return nil
}

// All reports whether all ways lead to a device.
func All(ways []Way, device string) bool {
	return len(ways) > 0 && !slices.ContainsFunc(ways, func(w Way) bool { return w.Device != device })
}

func some(ways []Way, device string) bool {
	return slices.ContainsFunc(ways, func(w Way) bool { return w.Device == device })
}

// Link describes the tunnel to be judged.
type Link struct {
	Interface string
	Device    string
	Metric    int
	// DefaultRoute reports whether all traffic is meant to go through the tunnel. Table is the routing table of option
	// ip4table or ip6table that has the tunnel's routes; empty: the main table.
	DefaultRoute bool
	Table        string
	Refusing     bool // packets into the tunnel are refused because the call is lost
	Partial      bool // of IPv6: IPv4 does not go through the tunnel by default either
	Contested    bool // another program lays its routes again as often as they are replaced
	Name         func(device string) string
}

func (l *Link) name(device string) string {
	if l.Name != nil {
		if name := l.Name(device); name != "" {
			return name
		}
	}
	return device
}

// Internet judges the ways to Samples. With a Table they are those of packets from the tunnel's address.
func Internet(l *Link, ways []Way) Finding {
	other := Foreign(ways, l.Device)
	switch {
	case other == nil && !some(ways, l.Device):
		return finding(!l.DefaultRoute, None, "there is no route") // which is no trouble of a tunnel that is not to carry it
	case other == nil && l.Refusing:
		return finding(true, Refused, "refused while the call is lost: option hold is forever")
	case other == nil && l.Table != "":
		return finding(true, Table, "by routing table {0} only, as option ip4table says", l.Table)
	case other == nil:
		return finding(true, Tunnel, "through this tunnel")
	case !l.DefaultRoute:
		return finding(true, OtherWanted, "by {0}, as option defaultroute says", l.name(other.Device))
	}
	return l.other(other.Device, l.Cause(*other))
}

func (l *Link) other(device, cause string) Finding {
	return finding(false, Other, "by {0}, although the tunnel is up: {1}", l.name(device), cause)
}

// Cause returns the reason why the kernel applies a route other than the tunnel's.
func (l *Link) Cause(w Way) string {
	route, metric := "a route to "+w.Dst.String(), strconv.Itoa(w.Metric)
	if w.Dst.Bits() == 0 {
		route = "a default route"
	}
	text := route + " with metric " + metric + " by " + w.Device
	switch {
	case w.Table != MainTable && w.Table != 0:
		text += ", in routing table " + strconv.FormatUint(uint64(w.Table), 10)
	case w.Dst.Bits() > 0 || w.Metric < l.Metric:
		text += " goes before the tunnel's with metric " + strconv.Itoa(l.Metric)
	default:
		text += " took the place of the tunnel's"
	}
	if l.Contested {
		text += ", and comes back each time it is replaced"
	}
	if w.From != "" {
		text = "for packets from " + w.From + ", " + text
	}
	return text
}

// IPv6 judges the ways to Samples6 and, where source addresses decide, those of the machine's addresses. carried reports
// whether the tunnel carries IPv6.
func IPv6(l *Link, ways []Way, carried bool) Finding {
	other := Foreign(ways, l.Device)
	ours := some(ways, l.Device)
	switch {
	case other == nil && !ours:
		return finding(true, None6, "no IPv6 in the tunnel, and none outside")
	case other == nil && l.Refusing:
		return finding(true, Refused, "refused while the call is lost: option hold is forever")
	case other == nil:
		return finding(true, Tunnel, "through this tunnel")
	case l.Table != "":
		return finding(true, Table, "by routing table {0} only, as option ip6table says", l.Table)
	case !l.DefaultRoute:
		return finding(true, OtherWanted, "by {0}, as option defaultroute says", l.name(other.Device))
	case !carried:
		return finding(l.Partial, Other6, "by {0}: the tunnel carries IPv4 only", l.name(other.Device))
	case !ours:
		return l.other(other.Device, "the server gave no IPv6 route")
	}
	return l.other(other.Device, "packets with an address of its network go there")
}
