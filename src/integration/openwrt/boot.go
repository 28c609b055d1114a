package main

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"time"
)

// options are UCI options of one interface: text, or a list of texts; nil leaves a default out.
type options map[string]any

// setup is what differs between the routers of the scenarios.
type setup struct {
	vpn         options           // of interface vpn, over the defaults
	wan         options           // of interface wan
	wanb        options           // of interface wanb
	lan         options           // of interface lan
	more        string            // text behind the rest of /etc/config/network
	files       map[string]string // further files of the router
	web         bool              // start uhttpd
	noVPN       bool              // no interface vpn
	noForwarder bool              // the router's programs ask netifd's name servers themselves
	noZone      bool              // there is no firewall
	freeZone    bool              // vpn is in no zone of the firewall
	dnsmasq     bool              // the router's own resolver runs, in place of the forwarder
	serving     []string          // further arguments of the lab server
	silent      bool              // no lab server
}

// The account of the scenarios. The password holds what shells, UCI and JSON each treat in a way of their own.
const (
	user     = "demo"
	password = `pa'ss "w4lnut" $HOME *\`
	secret   = "w4lnut" // what must not be seen anywhere
)

// start starts everything: the server, the router's network, and the router. It returns when the router's LAN and WAN are up.
func (w *world) start(s setup) {
	w.cable()
	if !s.silent {
		w.serveVPN(s.serving...)
	}
	w.router.configure(s)
	w.router.boot(s)
	w.until(15*time.Second, "LAN and WAN are up", func() string {
		for _, name := range []string{"lan", "wan"} {
			if st, err := w.interfaceStatus(name); err != nil || !st.Up {
				return fmt.Sprintf("%s is not: %v", name, err)
			}
		}
		return ""
	})
}

// configure writes the router's configuration.
func (r *router) configure(s setup) {
	r.write("etc/vpn-ca.pem", string(r.w.certificate.RootPEM()))
	for path, content := range s.files {
		r.write(path, content)
	}
	// Each event of an interface that netifd tells to scripts; what a tunnel did and did not do is seen in it.
	r.write("etc/hotplug.d/iface/01-record", "echo \"$ACTION $INTERFACE\" >> /tmp/hotplug.log\n")
	switch {
	case s.dnsmasq:
		r.write("tmp/resolv.conf", "nameserver 127.0.0.1\n")
	case s.noForwarder:
		os.Remove(r.root + "/tmp/resolv.conf")
		r.w.must(os.Symlink("resolv.conf.d/resolv.conf.auto", r.root+"/tmp/resolv.conf"))
	default:
		r.write("tmp/resolv.conf", "nameserver 127.0.0.1\n")
		r.forwardNames()
	}
	// What the boot script does with a new system. A script that fails is kept, as there.
	r.sh("config_generate")
	if !r.has("etc/config/system") {
		r.write("etc/config/system", "config system\n\toption hostname OpenWrt\n\toption log_buffer_size 128\n")
	}
	r.sh(`cd /etc/uci-defaults 2>/dev/null && for f in $(ls); do ( . ./$f ) >/dev/null 2>&1 && rm -f ./$f; done; uci commit; true`)
	r.write("etc/config/network", networkConfig(s))
	r.password()
	if !s.noZone && r.has("etc/config/firewall") {
		networks := "vpn wanb"
		if s.freeZone {
			networks = "wanb"
		}
		r.must(`i=0; while z=$(uci -q get firewall.@zone[$i].name); do
			[ "$z" = wan ] && for n in %s; do uci add_list firewall.@zone[$i].network=$n; done; i=$((i+1)); done; uci commit firewall`, networks)
	}
	if s.dnsmasq { // the world's addresses are those of documentation, which it takes for private; it may be built without ubus
		r.must("uci set dhcp.@dnsmasq[0].rebind_protection=0; uci set dhcp.@dnsmasq[0].localservice=0; uci set dhcp.@dnsmasq[0].ubus=0; uci commit dhcp")
	}
}

// networkConfig returns the text of /etc/config/network.
func networkConfig(s setup) string {
	var b strings.Builder
	section := func(name string, defaults, own options) {
		fmt.Fprintf(&b, "config interface '%s'\n", name)
		maps.Copy(defaults, own)
		for _, key := range slices.Sorted(maps.Keys(defaults)) {
			switch v := defaults[key].(type) {
			case nil:
			case []string:
				for _, item := range v {
					fmt.Fprintf(&b, "\tlist %s %s\n", key, quote(item))
				}
			default:
				fmt.Fprintf(&b, "\toption %s %s\n", key, quote(fmt.Sprint(v)))
			}
		}
		b.WriteByte('\n')
	}
	section("loopback", options{"device": "lo", "proto": "static", "ipaddr": []string{"127.0.0.1/8"}}, nil)
	section("lan", options{"device": "eth0", "proto": "static", "ipaddr": []string{lanRouter + "/24"}}, s.lan)
	section("wan", options{"device": "eth1", "proto": "static", "ipaddr": []string{wanAddress + "/24"}, "gateway": wanGateway,
		"dns": []string{wanGateway}, "ip6addr": []string{wanAddress6 + "/64"}, "ip6gw": wanGateway6}, s.wan)
	if s.wanb != nil {
		section("wanb", options{"device": "eth2", "proto": "static", "ipaddr": []string{wanbAddress + "/24"}, "gateway": wanbGateway,
			"dns": []string{wanbGateway}}, s.wanb)
	}
	if !s.noVPN {
		section("vpn", options{"proto": "sstp", "server": serverName, "username": user, "password": password,
			"ca_cert": "/etc/vpn-ca.pem"}, s.vpn)
	}
	return b.String() + s.more
}

// quote writes a value as UCI reads it.
func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

// The account of the router's web interface.
const (
	webUser     = "root"
	webPassword = "admin"
	// webShadow is webPassword as /etc/shadow has it.
	webShadow = "$1$sstplab0$.FOfJVpKkXTmLf1RxHlai0"
)

// password sets the password of the web interface.
func (r *router) password() {
	lines := strings.Split(r.read("etc/shadow"), "\n")
	for i, line := range lines {
		if strings.HasPrefix(line, "root:") {
			f := strings.Split(line, ":")
			f[1] = webShadow
			lines[i] = strings.Join(f, ":")
		}
	}
	r.write("etc/shadow", strings.Join(lines, "\n"))
}

// boot starts the router's daemons: by procd and the init scripts where the root has both, by ourselves otherwise.
func (r *router) boot(s setup) {
	w := r.w
	r.must("sysctl -q -e -p /etc/sysctl.d/10-default.conf; sysctl -q -w net.ipv4.ip_forward=1; chown -R ubus:ubus /var/run/ubus 2>/dev/null; true")
	r.startUbusd()
	if r.has("sbin/procd") && r.has("etc/init.d/network") && w.job.Procd {
		r.daemon("", "/sbin/procd", "-S")
		r.procd = r.appears("service", 5*time.Second)
	}
	for _, service := range []struct {
		name, program, object string
		wanted                bool
		direct                []string
	}{
		{"log", "sbin/logd", "log", true, []string{"logd", "-S", "128"}},
		{"rpcd", "sbin/rpcd", "session", true, []string{"rpcd"}},
		{"firewall", "sbin/fw4", "", !s.noZone, []string{"fw4", "-q", "start"}},
		{"firewall", "sbin/fw3", "", !s.noZone && !r.has("sbin/fw4"), []string{"fw3", "-q", "start"}},
		{"dnsmasq", "usr/sbin/dnsmasq", "", s.dnsmasq, nil},
		{"network", "sbin/netifd", "network.interface", true, []string{"netifd"}},
		{"uhttpd", "usr/sbin/uhttpd", "", s.web, []string{"uhttpd", "-f", "-h", "/www", "-r", "OpenWrt", "-x", "/cgi-bin", "-o", "/cgi-bin/luci",
			"-O", "/usr/share/ucode/luci/uhttpd.uc", "-u", "/ubus", "-t", "60", "-T", "30", "-A", "1", "-n", "3", "-N", "100", "-p", "0.0.0.0:80"}},
	} {
		if !service.wanted || !r.has(service.program) {
			continue
		}
		script := "/etc/init.d/" + service.name
		if r.has(script) {
			r.sh("%s enabled || %s enable", script, script) // others ask for it
		}
		if r.procd && r.has(script) {
			if out, err := r.run(script, "start"); err != nil {
				w.say("%v", err)
			} else if out != "" {
				w.say("%s start: %s", script, strings.TrimSpace(out))
			}
		} else {
			r.daemon("", service.direct...)
		}
		if service.object != "" && !r.appears(service.object, 10*time.Second) {
			w.fail("%s was started, and %s is not on the bus:\n%s", service.name, service.object, r.output.String())
		}
	}
	// As the boot script does at its end: from now on reload_config knows what has changed.
	r.sh("reload_config")
	w.say("the router has started%s", map[bool]string{true: " with procd", false: ", its daemons by hand"}[r.procd])
}

func (r *router) startUbusd() {
	r.daemon("ubus", "/sbin/ubusd")
	r.w.until(5*time.Second, "ubusd answers", func() string {
		if _, err := r.run("ubus", "-S", "list"); err != nil {
			return err.Error()
		}
		return ""
	})
}

// appears waits for an object on the bus.
func (r *router) appears(object string, within time.Duration) bool {
	for begin := time.Now(); time.Since(begin) < within; time.Sleep(pollEvery) {
		if r.onBus(object) {
			return true
		}
	}
	return false
}
