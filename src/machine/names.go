package machine

import (
	"bufio"
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync"
	"time"

	"sstp/src/config"
	"sstp/src/netifd"
	"sstp/src/session"
	"sstp/src/transport"
)

const (
	// heldLookup bounds the look-up of a name whose addresses are known while the device of a lost call is held.
	heldLookup = 3 * time.Second
	// serverLookup bounds the answer of one of the uplink's name servers.
	serverLookup = 2 * time.Second
)

// LookupFunc returns the addresses of a name.
type LookupFunc func(ctx context.Context, host string) ([]netip.Addr, error)

// Names looks up servers' names and caches the addresses, because the name servers may not answer while a call is lost.
type Names struct {
	held   func() bool // a lost call's device is held
	lookup LookupFunc
	logf   session.Logf

	mu      sync.Mutex
	known   map[string][]netip.Addr
	trusted bool // the last answer came from the cache without a look-up
}

func NewNames(held func() bool, lookup LookupFunc, logf session.Logf) *Names {
	return &Names{held: held, logf: logf, known: map[string][]netip.Addr{}, lookup: lookup}
}

// Lookup fits transport.Options. While a device is held, every other call returns the cached addresses at once; the others look
// the name up, and fall back to the cache if there is no answer.
func (n *Names) Lookup(ctx context.Context, host string) ([]netip.Addr, error) {
	held := n.held()
	n.mu.Lock()
	known := n.known[host]
	n.trusted = held && len(known) > 0 && !n.trusted
	trusted := n.trusted
	n.mu.Unlock()
	if trusted {
		return known, nil
	}
	asked := ctx
	if held && len(known) > 0 {
		limited, cancel := context.WithTimeout(ctx, heldLookup)
		defer cancel()
		asked = limited
	}
	addrs, err := n.lookup(asked, host)
	if err != nil {
		if len(known) > 0 && ctx.Err() == nil {
			n.logf(config.LogInfo, "%s cannot be looked up (%v); using the addresses known from before", host, err)
			return known, nil
		}
		return nil, err
	}
	n.mu.Lock()
	n.known[host] = addrs
	n.mu.Unlock()
	return addrs, nil
}

// SystemLookup asks the name servers of /etc/resolv.conf.
func SystemLookup(ctx context.Context, host string) ([]netip.Addr, error) {
	resolver := net.Resolver{PreferGo: true}
	return resolver.LookupNetIP(ctx, "ip", host)
}

// UplinkLookup returns a function that asks the uplink's own name servers by the uplink, so that the tunnel's server is found
// while the system's resolvers are the tunnel's, lead into the tunnel, or are blocked by the kill switch. If none of them knows
// the name, it asks the system, which may know local names.
func UplinkLookup(servers func(context.Context) ([]netifd.NameServer, error), mark int, logf session.Logf, system LookupFunc) LookupFunc {
	return func(ctx context.Context, host string) ([]netip.Addr, error) {
		list, err := servers(ctx)
		if err != nil {
			logf(config.LogDebug, "the uplink's name servers: %v", err)
		}
		var failed error
		for _, server := range list {
			addrs, err := askServer(ctx, server, mark, host)
			if err == nil {
				return addrs, nil
			}
			logf(config.LogDebug, "name server %v: %v", server.Addr, err)
			failed = err
			if ctx.Err() != nil {
				return nil, failed
			}
		}
		addrs, err := system(ctx, host)
		if err != nil && failed != nil && !notFound(err) {
			return nil, failed // what the uplink says is what people can do something about
		}
		return addrs, err
	}
}

func notFound(err error) bool {
	var dns *net.DNSError
	return errors.As(err, &dns) && dns.IsNotFound
}

// askServer asks one name server by UDP, and by TCP if the answer is truncated.
func askServer(ctx context.Context, server netifd.NameServer, mark int, host string) ([]netip.Addr, error) {
	ctx, cancel := context.WithTimeout(ctx, serverLookup)
	defer cancel()
	to := netip.AddrPortFrom(server.Addr, 53).String()
	resolver := net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return transport.SocketDialer(server.Device, mark).DialContext(ctx, network, to)
	}}
	// The dot keeps the system's search domains out of it: they are not the uplink's.
	return resolver.LookupNetIP(ctx, "ip", strings.TrimSuffix(host, ".")+".")
}

// fileServers reads the name servers of a file like /etc/resolv.conf.
func fileServers(path string) (servers []netip.Addr) {
	f, err := os.Open(path)
	if err != nil {
		return nil
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		words := strings.Fields(lines.Text())
		if len(words) < 2 || words[0] != "nameserver" {
			continue
		}
		if a, err := netip.ParseAddr(words[1]); err == nil {
			servers = append(servers, a)
		}
	}
	return servers
}
