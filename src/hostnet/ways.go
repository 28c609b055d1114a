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

// Ways keeps the connections of one tunnel to its server on the uplink that was chosen for them. No other packet to the same
// address bypasses the tunnel.
//
// The socket is bound to the uplink's device (SO_BINDTODEVICE). For such a socket the kernel looks only at routes by that
// device and skips the tunnel's, whether they are a default route, its two halves, or a whole table of policy routing. That
// alone is not enough:
//   - netifd replaces the uplink's default route by the tunnel's where both have the same metric, as they have by default.
//     The main table then has no route by the uplink at all, and IPv4 treats the server as a neighbour on the link.
//   - Packages that mark packets (mwan3, pbr) send them to tables of their own, which may have no route by this device.
//
// So each server that is dialed gets a route in a private table, and a rule before all others sends only packets of sockets
// that are bound to the device ("oif") to that table. Forwarded packets and unbound sockets never match it, so a name server
// that answers with somebody else's address can make nothing leave by the uplink (CVE-2023-36673). The rule and the route are
// added when the address is dialed, and deleted with the connection.
//
// A strict reverse path filter (rp_filter 1) looks up the way back without a device, finds the tunnel, and drops the server's
// packets. If it is on, a second rule also sends packets from the uplink's own address to the server to the private table.
// Forwarded packets have other source addresses at that point, because masquerading comes later.
//
// The table's number is derived from the tunnel's name, so a later process recognises what a killed one has left behind.
type Ways struct {
	table uint32

	mu   sync.Mutex
	laid map[part]int // the number of connections that need each
}

// part is a rule or a route, comparable.
type part interface {
	add() error
	remove() error
}

const (
	// wayProtocol marks our rules and routes for people: "ip rule" and "ip route" show it as "proto 83".
	wayProtocol = 83
	// wayPriority comes before the rules of netifd (10000 and up), mwan3 (1001 and up), pbr (around 30000), strongSwan (220)
	// and tailscale (5210).
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

// Lay adds a way to server for sockets that are bound to device. gateway is invalid for a point-to-point device, which has
// none; source is the local address to use, invalid for the kernel's choice. The way stays until release is called. On a kernel
// without policy routing Lay does nothing, and the routing table decides.
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

// Renew adds what is missing of the ways again: other programs flush rules, and an uplink that goes down loses its routes.
func (w *Ways) Renew() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	var failed []error
	for p := range w.laid {
		failed = append(failed, p.add())
	}
	return errors.Join(failed...)
}

// Clear removes all ways of the tunnel, including those of an earlier process.
func (w *Ways) Clear() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.laid = map[part]int{}
	if err := flushTable(w.table); err != nil {
		return fmt.Errorf("the ways of earlier connections: %w", err)
	}
	return nil
}

// hold adds a part unless another connection has added it.
func (w *Ways) hold(p part) error {
	if w.laid[p] == 0 {
		if err := p.add(); err != nil {
			return err
		}
	}
	w.laid[p]++
	return nil
}

// drop removes the parts that no other connection needs, the newest first.
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
