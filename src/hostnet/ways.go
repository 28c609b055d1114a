package hostnet

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// Ways keeps the connections of one tunnel to its server on the uplink that was chosen for them, and nothing else: no other
// packet to the same address goes past the tunnel.
//
// The socket is bound to the uplink's device (SO_BINDTODEVICE). For such a socket the kernel looks only at routes by that
// device: it passes over the tunnel's, whether they are a default route, its two halves or a whole table of policy
// routing. That alone does not suffice:
//   - netifd replaces the uplink's default route by the tunnel's where both have the same metric, as they have by default.
//     The main table has then no way by the uplink at all, and IPv4 takes the server for a neighbour on the link.
//   - Packages that mark packets (mwan3, pbr) send them to tables of their own, which may know no way by this device.
//
// So each server that is dialed gets a route in a private table, and a rule before all others sends to that table only what
// is bound to the device ("oif"). Forwarded packets and sockets that are not bound never match it: a name server that
// answers with somebody else's address can make nothing leave by the uplink (CVE-2023-36673). The rule and the route are
// laid when the address is dialed and go with the connection.
//
// A strict reverse path filter (rp_filter 1) looks up the way back without a device, finds the tunnel and drops what the
// server sends. Where it is on, a second rule also sends what goes from the uplink's own address to the server to the private
// table. Packets of others have other source addresses at that point: masquerading comes later.
//
// The table's number is made from the tunnel's name, so a later process recognises what a killed one has left.
type Ways struct {
	table uint32

	mu   sync.Mutex
	laid map[part]int // how many connections need it
}

// part is a rule or a route, comparable.
type part interface {
	add() error
	remove() error
}

const (
	// wayProtocol marks our rules and routes for people: "ip rule" and "ip route" show it as "proto 83".
	wayProtocol = 83
	// wayPriority goes before the rules of netifd (10000 and up), mwan3 (1001 and up) and pbr (around 30000), and of
	// others that send packets away whole: strongSwan (220), tailscale (5210).
	wayPriority = 83
	// wayTables is where the numbers of private tables begin; the lower three bytes are a hash of the tunnel's name.
	wayTables  = 0x53000000
	wayNumbers = 0x00ffffff
)

// NewWays returns the ways of the tunnel called name.
func NewWays(name string) *Ways {
	hash := uint32(2166136261) // FNV-1a
	for _, c := range []byte(name) {
		hash = (hash ^ uint32(c)) * 16777619
	}
	return &Ways{table: wayTables | hash&wayNumbers, laid: map[part]int{}}
}

// Lay gives sockets that are bound to device a way to server. An invalid gateway means that the device is a line to one
// neighbour; source is the address of ours to speak from, invalid for the kernel's choice. The way is there until
// release is called. A kernel without policy routing has only what its routing table says.
func (w *Ways) Lay(server netip.Addr, device string, gateway, source netip.Addr) (release func(), err error) {
	server = server.Unmap().WithZone("")
	index, err := DeviceIndex(device)
	if err != nil {
		return nil, err
	}
	parts := []part{
		// The rule comes first: a kernel without policy routing refuses it, but would take the route into its main table.
		rule{out: device, ipv6: server.Is6(), table: w.table},
		// With the device's number as its metric, the same server can have a way by each of two uplinks.
		wayRoute{Route{Dst: netip.PrefixFrom(server, server.BitLen()), Gateway: gateway, Device: device, Metric: index, Source: source, Table: w.table}},
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for n, p := range parts {
		if err = w.hold(p); err != nil {
			w.drop(parts[:n])
			if isErrno(err, unix.EOPNOTSUPP) || isErrno(err, unix.EAFNOSUPPORT) {
				return func() {}, nil
			}
			return nil, fmt.Errorf("a way to %s by %s: %w", server, device, err)
		}
	}
	if server.Is4() && strictReversePath(device) {
		if own, err := sourceBy(server, device); err == nil {
			back := rule{from: own, to: server, table: w.table}
			if w.hold(back) == nil {
				parts = append(parts, back)
			}
		}
	}
	var once sync.Once
	return func() {
		once.Do(func() {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.drop(parts)
		})
	}, nil
}

// Renew lays again what of the ways has gone: other programs flush rules, and an uplink that goes down takes its routes along.
func (w *Ways) Renew() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	var failed []error
	for p := range w.laid {
		failed = append(failed, p.add())
	}
	return errors.Join(failed...)
}

// Clear takes back all ways of the tunnel, those of an earlier process too.
func (w *Ways) Clear() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.laid = map[part]int{}
	if err := flushTable(w.table); err != nil {
		return fmt.Errorf("the ways of earlier connections: %w", err)
	}
	return nil
}

// hold lays a part where no other connection has.
func (w *Ways) hold(p part) error {
	if w.laid[p] == 0 {
		if err := p.add(); err != nil {
			return err
		}
	}
	w.laid[p]++
	return nil
}

// drop takes parts back that no other connection needs, the newest first.
func (w *Ways) drop(parts []part) {
	for n := len(parts) - 1; n >= 0; n-- {
		p := parts[n]
		if w.laid[p] == 0 {
			continue // Clear was faster
		}
		if w.laid[p]--; w.laid[p] == 0 {
			delete(w.laid, p)
			_ = p.remove() // what stays is harmless, and goes with the next Clear
		}
	}
}

// wayRoute is a route of a private table.
type wayRoute struct{ Route }

func (r wayRoute) add() error { return ReplaceRoute(r.Route) }

func (r wayRoute) remove() error { return DeleteRoute(r.Route) }

// strictReversePath reports whether the kernel drops packets that come by a device where it would not send the answer by it
// (ip-sysctl: the maximum of conf/all and the device's own value counts).
func strictReversePath(device string) bool {
	return max(reversePath("all"), reversePath(device)) == '1'
}

func reversePath(device string) byte {
	value, err := os.ReadFile("/proc/sys/net/ipv4/conf/" + strings.ReplaceAll(device, "/", ".") + "/rp_filter")
	if err != nil || len(value) == 0 {
		return '0'
	}
	return value[0]
}
