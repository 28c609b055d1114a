package machine

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"testing"
	"time"

	"sstp/src/config"
	"sstp/src/hostnet"
	"sstp/src/reach"
	"sstp/src/session"
)

// advertisement is a router advertisement (RFC 4861 4.2) to all nodes: a default route for half an hour, and a prefix from
// which to make an address.
func advertisement(prefix netip.Prefix) []byte {
	p := []byte{0x60, 0, 0, 0, 0, 48, 58, 255}
	from, to := netip.MustParseAddr("fe80::1").As16(), netip.MustParseAddr("ff02::1").As16()
	p = append(append(p, from[:]...), to[:]...)
	p = append(p, 134, 0, 0, 0, 64, 0, 0x07, 0x08, 0, 0, 0, 0, 0, 0, 0, 0)
	p = append(p, 3, 4, byte(prefix.Bits()), 0xc0, 0, 0, 0x07, 0x08, 0, 0, 0x07, 0x08, 0, 0, 0, 0)
	a := prefix.Addr().As16()
	p = append(p, a[:]...)
	sum := uint32(58 + 48)
	for i := 8; i < len(p); i += 2 {
		sum += uint32(binary.BigEndian.Uint16(p[i:]))
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	binary.BigEndian.PutUint16(p[42:], ^uint16(sum))
	return p
}

func TestTheServersRouterAdvertisementsChangeNothing(t *testing.T) {
	tunnel := &config.Tunnel{Name: "vpn"}
	local := netip.MustParsePrefix("fe80::2/64")
	for name, open := range map[string]func(t *testing.T) (session.Device, error){
		"under netifd": func(t *testing.T) (session.Device, error) {
			d, err := NetifdDevice(tunnel, noLog)(tunnel.Device(), 1400)
			if err == nil { // as netifd does it
				err = errors.Join(hostnet.SetUp(d.Name(), 0), hostnet.AddAddress(d.Name(), local, netip.Addr{}))
			}
			return d, err
		},
		"without netifd": func(t *testing.T) (session.Device, error) {
			d, err := OpenDevice(tunnel)(tunnel.Device(), 1400)
			if err == nil {
				h := &Network{tunnel: tunnel, logf: noLog}
				err = h.Up(t.Context(), session.Link{Device: d.Name(), MTU: 1400, Local: netip.MustParseAddr("10.99.0.2"), Local6: local.Addr()})
			}
			return d, err
		},
	} {
		t.Run(name, func(t *testing.T) {
			inNamespace(t)
			d, err := open(t)
			if err != nil {
				t.Skipf("needs /dev/net/tun: %v", err)
			}
			defer d.Close()
			packet := advertisement(netip.MustParsePrefix("2001:db8:bad::/64"))
			for range 5 {
				if _, err := d.WritePackets([][]byte{packet}); err != nil {
					t.Fatal(err)
				}
				time.Sleep(10 * time.Millisecond) // the kernel makes of it what it does at once
			}
			if way, err := hostnet.FindWay(reach.Query{To: netip.MustParseAddr("2001:db8:1::1")}); err == nil {
				t.Errorf("the server made itself the default route: %+v", way)
			}
			list, err := hostnet.Addresses(d.Name(), true)
			if err != nil || len(list) != 1 || list[0].Prefix != local {
				t.Errorf("the addresses are %v %v, want %v alone", list, err, local)
			}
		})
	}
}
