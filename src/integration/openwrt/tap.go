package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// tap sees each packet that leaves the router by an uplink, and keeps those that are the LAN's. It listens at the provider's
// end of the cables, so that nothing on the router can hide a packet from it.
type tap struct {
	fd      int
	own     bool // the traffic is that of the machine itself, and not of a LAN behind it
	mu      sync.Mutex
	seen    []sighting
	uplinks map[int]string // devices of the provider by number; "" for those that are no uplink
}

// sighting is a packet of the LAN on an uplink.
type sighting struct {
	at   time.Time
	kind string // one of kinds
	what string // for people
}

// The LAN's traffic is known by where it goes, whatever address it has after masquerading: nothing else on the router sends to
// these networks or asks for names below proof.example.
var (
	proof4  = netip.MustParsePrefix("198.18.7.0/24")
	proof6  = netip.MustParsePrefix("2001:db8:7::/48")
	lan4    = netip.MustParsePrefix("192.168.0.0/16")
	tunnel4 = netip.MustParsePrefix("10.99.0.0/16")
	lan6    = netip.MustParsePrefix("2001:db8:2::/48")
)

// ownHops is the hop limit of packets that the router itself makes; those that it forwards have one less.
const ownHops = 64

// proofLabels is the domain of the names that the LAN asks for, proof.example, as a question has it.
var proofLabels = []byte("\x05proof\x07example")

// kinds are the kinds of traffic, in the order in which they are shown: dns asks a name server of the internet, names asks the
// router's resolver.
var kinds = []string{"tcp", "udp", "icmp", "dns", "names", "tcp6", "udp6", "icmp6", routersOwn}

// routersOwn is the kind of packets that the router itself sends: to the LAN's far ends, such as the refusals of its firewall,
// which tell whom the LAN talks to, or to the LAN's hosts, while netifd has taken its address there away.
const routersOwn = "router's"

// newTap begins to listen in the internet's namespace.
func (w *world) newTap(own bool) *tap {
	t := &tap{own: own, uplinks: map[int]string{}}
	ready := make(chan error, 1)
	go w.internet.do(func() error {
		err := t.open()
		ready <- err
		if err == nil {
			t.listen()
		}
		return err
	})
	w.must(<-ready)
	return t
}

// open makes the socket: without a device's number it hears all devices, those that come later too.
func (t *tap) open() (err error) {
	all := uint16(unix.ETH_P_ALL)
	t.fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, int(all<<8|all>>8))
	if err != nil {
		return err
	}
	if err := unix.SetsockoptInt(t.fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 64<<20); err != nil {
		return err
	}
	return unix.SetsockoptInt(t.fd, unix.SOL_SOCKET, unix.SO_TIMESTAMPNS, 1)
}

// listen reads packets for as long as the world lives.
func (t *tap) listen() {
	buf, oob := make([]byte, 1<<16), make([]byte, 256)
	for {
		n, oobn, _, from, err := unix.Recvmsg(t.fd, buf, oob, 0)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return
		}
		link, ok := from.(*unix.SockaddrLinklayer)
		if !ok || link.Pkttype == unix.PACKET_OUTGOING {
			continue
		}
		device, known := t.uplinks[link.Ifindex]
		if !known {
			if i, err := net.InterfaceByIndex(link.Ifindex); err == nil && (i.Name == "wan" || i.Name == "wanb" || i.Name == "plain") {
				device = i.Name
			}
			t.uplinks[link.Ifindex] = device
		}
		if device == "" {
			continue
		}
		kind, what := classify(buf[:n], t.own)
		if kind == "" {
			continue
		}
		t.mu.Lock()
		t.seen = append(t.seen, sighting{stamp(oob[:oobn]), kind, device + ": " + what})
		t.mu.Unlock()
	}
}

// stamp returns when the kernel received a packet.
func stamp(oob []byte) time.Time {
	messages, err := unix.ParseSocketControlMessage(oob)
	if err == nil {
		for _, m := range messages {
			if m.Header.Type == unix.SO_TIMESTAMPNS && len(m.Data) >= 16 {
				return time.Unix(int64(binary.NativeEndian.Uint64(m.Data)), int64(binary.NativeEndian.Uint64(m.Data[8:])))
			}
		}
	}
	return time.Now()
}

// classify returns what kind of the LAN's traffic an IP packet is; kind is "" where it is none. own says that the traffic is the
// machine's own.
func classify(p []byte, own bool) (kind, what string) {
	var src, dst netip.Addr
	var protocol, hops byte
	var payload []byte
	six := ""
	switch {
	case len(p) >= 20 && p[0]>>4 == 4:
		src, dst = netip.AddrFrom4([4]byte(p[12:16])), netip.AddrFrom4([4]byte(p[16:20]))
		protocol, hops, payload = p[9], p[8], p[min(len(p), int(p[0]&15)*4):]
	case len(p) >= 40 && p[0]>>4 == 6:
		src, dst = netip.AddrFrom16([16]byte(p[8:24])), netip.AddrFrom16([16]byte(p[24:40]))
		protocol, hops, payload, six = p[6], p[7], p[40:], "6"
	default:
		return "", ""
	}
	port := 0
	switch protocol {
	case unix.IPPROTO_TCP:
		kind = "tcp" + six
	case unix.IPPROTO_UDP:
		kind = "udp" + six
	case unix.IPPROTO_ICMP, unix.IPPROTO_ICMPV6:
		kind = "icmp" + six
	default:
		kind = "udp" + six // of another protocol: it is shown by its number
	}
	if protocol == unix.IPPROTO_TCP || protocol == unix.IPPROTO_UDP {
		if len(payload) < 4 {
			return "", ""
		}
		port = int(binary.BigEndian.Uint16(payload[2:]))
	}
	ours := proof4.Contains(dst) || proof6.Contains(dst)
	switch {
	case hops == ownHops && !own && (lan4.Contains(dst) || lan6.Contains(dst)):
		kind = routersOwn
	case bytes.Contains(payload, proofLabels):
		kind = "names"
		if ours {
			kind = "dns"
		}
	case ours && hops == ownHops && !own:
		kind = routersOwn
	case ours || lan4.Contains(src) || tunnel4.Contains(src) || lan6.Contains(src):
	default:
		return "", ""
	}
	return kind, fmt.Sprintf("%s > %s %s", src, dst, describe(protocol, port, payload))
}

// describe says for people what a packet is, from its header behind the IP header.
func describe(protocol byte, port int, p []byte) string {
	switch {
	case protocol == unix.IPPROTO_TCP && len(p) >= 20:
		var flags []string
		for i, name := range []string{"FIN", "SYN", "RST", "PSH", "ACK"} {
			if p[13]>>i&1 == 1 {
				flags = append(flags, name)
			}
		}
		return fmt.Sprintf("TCP port %d %v, %d bytes", port, flags, len(p)-int(p[12]>>4)*4)
	case protocol == unix.IPPROTO_UDP:
		return fmt.Sprintf("UDP port %d", port)
	case (protocol == unix.IPPROTO_ICMP || protocol == unix.IPPROTO_ICMPV6) && len(p) >= 2:
		return fmt.Sprintf("ICMP type %d code %d", p[0], p[1])
	}
	return fmt.Sprintf("protocol %d", protocol)
}

// between returns what was seen from one moment to another.
func (t *tap) between(from, to time.Time) (list []sighting) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, s := range t.seen {
		if !s.at.Before(from) && s.at.Before(to) {
			list = append(list, s)
		}
	}
	return list
}

// lost returns how many packets the kernel could not hand over: a proof with any is none.
func (t *tap) lost() uint32 {
	stats, err := unix.GetsockoptTpacketStats(t.fd, unix.SOL_PACKET, unix.PACKET_STATISTICS)
	if err != nil {
		return 1
	}
	return stats.Drops
}

// count returns how many of each kind there are.
func count(list []sighting) map[string]int {
	n := map[string]int{}
	for _, s := range list {
		n[s.kind]++
	}
	return n
}

// show writes counts for people, "none" where all are 0.
func show(n map[string]int) string {
	var b bytes.Buffer
	for _, kind := range kinds {
		if n[kind] > 0 {
			fmt.Fprintf(&b, " %s %d", kind, n[kind])
		}
	}
	if b.Len() == 0 {
		return "none"
	}
	return b.String()[1:]
}

// some names a few of the packets seen, different ones.
func some(list []sighting) (texts []string) {
	for _, s := range list {
		text := s.at.Format("15:04:05.000") + " " + s.what
		if !slices.ContainsFunc(texts, func(t string) bool { return t[12:] == text[12:] }) {
			if texts = append(texts, text); len(texts) == 6 {
				break
			}
		}
	}
	return texts
}
