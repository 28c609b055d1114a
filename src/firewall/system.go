package firewall

import (
	"bufio"
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"sstp/src/fault"
	"sstp/src/hostnet"
	"sstp/src/killswitch"
)

// System is the router's firewall: fw4, or fw3 of OpenWrt 21.02.
type System struct {
	Root     string                       // of the file system
	Comments func() ([]string, error)     // of the rules that fw4 has loaded
	Local    func() ([]netip.Addr, error) // the router's own addresses
}

// Router returns the firewall of this machine.
func Router() System {
	return System{Root: "/", Local: ownAddresses,
		Comments: func() ([]string, error) { return hostnet.RuleComments("fw4") }}
}

func (f System) has(path string) bool {
	_, err := os.Stat(filepath.Join(f.Root, path))
	return err == nil
}

// missing returns what the machine lacks for a firewall, nil if it has all.
func (f System) missing() *killswitch.Problem {
	switch {
	case f.has("sbin/fw4") && !f.has("usr/sbin/nft") && !f.has("sbin/nft"):
		return killswitch.NewProblem("no_nft")
	case !f.has("sbin/fw4") && !f.has("sbin/fw3"):
		return killswitch.NewProblem("no_fw")
	}
	return nil
}

// lacks reports which of the rules, given by their names, the firewall has not loaded. A name that stands n times must have been
// loaded n times. Of fw3 only that it runs is looked at.
func (f System) lacks(rules []string) *killswitch.Problem {
	if p := f.missing(); p != nil {
		return p
	}
	if !f.has("sbin/fw4") {
		if !f.has("var/run/fw3.state") {
			return killswitch.NewProblem("not_loaded")
		}
		return nil
	}
	comments, err := f.Comments()
	if err != nil || len(comments) == 0 {
		return killswitch.NewProblem("not_loaded")
	}
	loaded := map[string]int{}
	for _, c := range comments {
		loaded[strings.TrimPrefix(c, "!fw4: ")]++
	}
	for _, r := range rules {
		if loaded[r]--; loaded[r] < 0 {
			return killswitch.NewProblem("rule_not_loaded", r)
		}
	}
	return nil
}

// stamp returns a text that changes with the configuration and with what the firewall has loaded.
func (f System) stamp() (stamp string) {
	for _, path := range []string{"etc/config/firewall", "etc/config/network", "var/run/fw4.state", "var/run/fw3.state"} {
		if s, err := os.Stat(filepath.Join(f.Root, path)); err == nil {
			stamp += s.ModTime().String()
		}
		stamp += "\n"
	}
	return stamp
}

const (
	reloadLimit = 20 * time.Second
	reloadLook  = 100 * time.Millisecond
	fileClock   = 20 * time.Millisecond // the clock of files ticks no finer
)

// await waits until the firewall has loaded a configuration that was saved after a moment, and has the rules of these names.
// Both firewalls write their state anew while they hold a lock. One that was loading at that moment still had the old
// configuration: the rules tell.
func (f System) await(ctx context.Context, since time.Time, rules []string) error {
	name := "fw3"
	if f.has("sbin/fw4") {
		name = "fw4"
	}
	ctx, cancel := context.WithTimeout(ctx, reloadLimit)
	defer cancel()
	for {
		if s, err := os.Stat(filepath.Join(f.Root, "var/run", name+".state")); err == nil && !s.ModTime().Before(since.Add(-fileClock)) && f.idle(name) && f.lacks(rules) == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fault.New(fault.InvalidOptions, fault.StageConfig, "The configuration is saved, but the firewall has not loaded it.").
				WithHint("Start the firewall: service firewall restart")
		case <-time.After(reloadLook):
		}
	}
}

// idle reports whether the firewall is not being loaded.
func (f System) idle(name string) bool {
	lock, err := os.Open(filepath.Join(f.Root, "var/run", name+".lock"))
	if err != nil {
		return errors.Is(err, os.ErrNotExist)
	}
	defer lock.Close()
	return unix.Flock(int(lock.Fd()), unix.LOCK_SH|unix.LOCK_NB) == nil
}

// cutForwarded makes the kernel forget the connections that it forwards for others, because the firewall passes established ones
// whatever the rules are. The router's own connections stay, except those to name servers. On OpenWrt's kernel, an address
// written to the list of connections removes its connections; other kernels are asked by netlink.
func (f System) cutForwarded() {
	path := filepath.Join(f.Root, "proc/net/nf_conntrack")
	list, err := os.Open(path)
	if err != nil {
		return
	}
	defer list.Close()
	own, err := f.Local()
	if err != nil {
		return
	}
	hosts := hostsToCut(bufio.NewScanner(list), own)
	for _, host := range hosts {
		if w, err := os.OpenFile(path, os.O_WRONLY, 0); err == nil {
			_, err = w.WriteString(host.String() + "\n")
			w.Close()
			if err == nil {
				continue
			}
		}
		_ = hostnet.ForgetConnections(hosts) // a kernel without either keeps them until they end
		return
	}
}

// hostsToCut returns the hosts that began the connections that neither begin nor end at one of our addresses, and the name
// servers that this machine has asked.
func hostsToCut(lines *bufio.Scanner, own []netip.Addr) (hosts []netip.Addr) {
	ours := map[netip.Addr]bool{}
	for _, a := range own {
		ours[a] = true
	}
	seen := map[netip.Addr]bool{}
	for lines.Scan() {
		line := lines.Text()
		src, dst := tupleAddr(line, " src="), tupleAddr(line, " dst=")
		if !src.IsValid() || !dst.IsValid() || ours[dst] {
			continue
		}
		host := src
		if ours[src] {
			if !strings.Contains(line, " dport=53 ") && !strings.Contains(line, " dport=853 ") {
				continue
			}
			host = dst
		}
		if !seen[host] {
			seen[host] = true
			hosts = append(hosts, host)
		}
	}
	return hosts
}

// tupleAddr returns the first address of a name in a line of the kernel's list, which is the one of the direction in which the
// connection was begun.
func tupleAddr(line, name string) netip.Addr {
	_, rest, _ := strings.Cut(line, name)
	text, _, _ := strings.Cut(rest, " ")
	a, err := netip.ParseAddr(text)
	if err != nil || a.IsMulticast() {
		return netip.Addr{}
	}
	return a.Unmap()
}

// ownAddresses returns the addresses of this machine.
func ownAddresses() (own []netip.Addr, err error) {
	addrs, err := net.InterfaceAddrs()
	for _, a := range addrs {
		if p, err := netip.ParsePrefix(a.String()); err == nil {
			own = append(own, p.Addr().Unmap())
		}
	}
	return own, err
}
