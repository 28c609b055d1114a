package transport

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strings"

	"sstp/src/fault"
	"sstp/src/phrase"
	"sstp/src/text"
)

// maxAddresses is how many addresses of a name are tried. A DNS answer can hold thousands, and dialing one may need a route of
// its own.
const maxAddresses = 16

// resolve returns the addresses of host in the order in which to try them. host may be an address itself.
func (c *connector) resolve(ctx context.Context, host string) (addrs []netip.Addr, finding phrase.Phrase, err error) {
	if addr, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{addr.Unmap()}, phrase.Of("an address, nothing to resolve"), nil
	}
	lookup := c.o.Lookup
	if lookup == nil {
		lookup = systemLookup
	}
	addrs, err = lookup(ctx, host)
	if err != nil {
		return nil, phrase.Phrase{}, resolveFault(ctx, host, err)
	}
	addrs = interleave(addrs)
	addrs = addrs[:min(len(addrs), maxAddresses)]
	if len(addrs) == 0 {
		return nil, phrase.Phrase{}, fault.Newf(fault.PeerResolveFail, fault.StageResolve, "The name %s has no address.", text.Phrase(host))
	}
	var list []string
	for _, a := range addrs {
		list = append(list, a.String())
	}
	return addrs, phrase.Foreign(strings.Join(list, ", ")), nil
}

// systemLookup asks the name servers of /etc/resolv.conf. The resolver of package net sorts by RFC 6724.
func systemLookup(ctx context.Context, host string) ([]netip.Addr, error) {
	resolver := net.Resolver{PreferGo: true}
	return resolver.LookupNetIP(ctx, "ip", host)
}

// interleave alternates between the address families, beginning with that of the first address (RFC 8305 section 4), and drops
// duplicates.
func interleave(addrs []netip.Addr) []netip.Addr {
	var first, second []netip.Addr
	seen := map[netip.Addr]bool{}
	for _, a := range addrs {
		a = a.Unmap()
		if !a.IsValid() || seen[a] {
			continue
		}
		seen[a] = true
		if len(first) == 0 || a.Is4() == first[0].Is4() {
			first = append(first, a)
		} else {
			second = append(second, a)
		}
	}
	mixed := make([]netip.Addr, 0, len(first)+len(second))
	for i := range max(len(first), len(second)) {
		if i < len(first) {
			mixed = append(mixed, first[i])
		}
		if i < len(second) {
			mixed = append(mixed, second[i])
		}
	}
	return mixed
}

func resolveFault(ctx context.Context, host string, err error) error {
	name := text.Phrase(host)
	f := fault.Newf(fault.PeerResolveFail, fault.StageResolve, "The name %s could not be resolved: %s.", name, text.Phrase(err.Error()))
	var dns *net.DNSError
	switch {
	case errors.As(err, &dns) && dns.IsNotFound:
		f.Say("The name %s does not exist.", name)
	case ctx.Err() != nil || errors.As(err, &dns) && dns.IsTimeout:
		f.Say("No name server answered for %s.", name)
	case errors.As(err, &dns):
		f.MessageArgs[1] = text.Phrase(dns.Err)
		f.Say(f.MessageKey, f.MessageArgs...)
	}
	return f.Wrap(err)
}
