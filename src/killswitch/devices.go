package killswitch

import (
	"slices"
	"strings"
)

// devicePrefixes are what the names of the devices of some protocols begin with; the name of the interface follows.
var devicePrefixes = map[string]string{
	"ppp": "ppp-", "pppoe": "pppoe-", "pppoa": "pppoa-", "pptp": "pptp-", "l2tp": "l2tp-", "3g": "3g-",
	"6in4": "6in4-", "6rd": "6rd-", "6to4": "6to4-", "dslite": "ds-", "map": "map-", "464xlate": "464-",
}

// maxDeviceName is the longest name of a network device (IFNAMSIZ without the zero).
const maxDeviceName = 15

// deviceOf returns the network device by which an interface sends packets, "" where the configuration does not tell.
func (s State) deviceOf(n *Section) (device string) {
	for range 4 { // an alias of an alias
		if n == nil || n.Type != "interface" {
			return ""
		}
		begin, dialed := devicePrefixes[n.value("proto")]
		of := n.value("device")
		if of == "" {
			of = n.value("ifname") // until 21.02
		}
		alias, isAlias := strings.CutPrefix(of, "@")
		switch {
		case dialed:
			return plainDevice(begin + n.Name)
		case n.value("type") == "bridge":
			return plainDevice("br-" + n.Name) // until 21.02
		case isAlias:
			n = find(s.Network, alias)
			continue
		case n.value("proto") == "static" || n.value("proto") == "dhcp" || n.value("proto") == "dhcpv6" || n.value("proto") == "none":
			return plainDevice(of)
		}
		return ""
	}
	return ""
}

// plainDevice returns the name of a device, "" for what is none, or several, or a pattern.
func plainDevice(name string) string {
	if name == "" || len(name) > maxDeviceName || strings.ContainsAny(name, " \t/+*!@") {
		return ""
	}
	return name
}

// uplinkDevices returns the devices of the uplinks' zones, without those that another zone uses too.
func (s State) uplinkDevices(zones []zone, uplinks []string) (devices []string) {
	var local []string
	for _, z := range zones {
		list := &local
		if slices.Contains(uplinks, z.name) {
			list = &devices
		}
		for _, name := range z.networks {
			*list = append(*list, s.deviceOf(find(s.Network, name)))
		}
		for _, name := range z.words("device") {
			*list = append(*list, plainDevice(name))
		}
	}
	return slices.DeleteFunc(unique(devices), func(d string) bool { return slices.Contains(local, d) })
}
