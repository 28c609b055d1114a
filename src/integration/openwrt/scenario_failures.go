package main

import (
	"fmt"
	"strings"
	"time"
)

func aWrongPassword(w *world) {
	w.start(setup{vpn: options{"password": "wrong " + secret}})
	w.waitFailed("vpn", "AUTH_FAILED", upLimit)
	t := w.tunnel("vpn")
	w.check(t.State == "waiting" && t.NextRetry > 40_000, "state %s, next try in %d ms: want waiting for about a minute", t.State, t.NextRetry)
	w.always(3*time.Second, "the server sees no second try, netifd starts no second daemon", func() string {
		if n := w.events("accepted"); n != 1 {
			return fmt.Sprintf("%d connections", n)
		}
		if list := w.router.daemons("vpn"); len(list) != 1 {
			return fmt.Sprintf("%d daemons", len(list))
		}
		return ""
	})
	w.router.must("ifdown vpn")
	w.waitDown("vpn", device, 5*time.Second)
}

func authfailStops(w *world) {
	w.start(setup{vpn: options{"password": "wrong " + secret, "authfail": "1"}})
	stopped := func() string {
		n := w.netifd("vpn")
		switch {
		case n.code() != "AUTH_FAILED":
			return fmt.Sprintf("netifd shows %q", n.code())
		case n.Autostart:
			return "netifd would start it again"
		case n.Up || n.Pending:
			return fmt.Sprintf("up %v, pending %v", n.Up, n.Pending)
		case len(w.router.daemons("vpn")) > 0:
			return "the daemon still runs"
		case w.events("accepted") != 1:
			return fmt.Sprintf("the server saw %d connections", w.events("accepted"))
		}
		return ""
	}
	w.until(upLimit, "stopped, with the error shown", stopped)
	w.always(3*time.Second, "it stays so", stopped)
	out, err := w.router.run("sstp", "status", "vpn")
	w.check(err != nil && strings.Contains(out, "AUTH_FAILED"), "sstp status without the daemon does not tell why:\n%s", out)
	w.setOption("vpn", "password", password)
	w.router.must("ifup vpn")
	w.waitUp("vpn", upLimit)
}

// setOption changes an option in the router's configuration, without making anybody read it. value is text, or a list.
func (w *world) setOption(name, option string, value any) {
	key := "network." + name + "." + option
	list, isList := value.([]string)
	if !isList {
		w.router.must("uci set %s=%s", key, quote(fmt.Sprint(value)))
	} else {
		w.router.must("uci -q delete %s; true", key)
	}
	for _, item := range list {
		w.router.must("uci add_list %s=%s", key, quote(item))
	}
	w.router.must("uci commit network")
}

// reload makes the router act on a changed configuration.
func (w *world) reload() {
	if w.router.procd {
		w.router.must("reload_config")
		return
	}
	w.router.must("ubus call network reload")
}

func anUntrustedCertificate(w *world) {
	w.start(setup{vpn: options{"ca_cert": nil}})
	w.waitFailed("vpn", "CERT_UNTRUSTED", upLimit)
	t := w.tunnel("vpn")
	_, pin, found := strings.Cut(t.LastError.Hint, "sha256:")
	if !found || len(pin) < 64 {
		w.fail("the hint does not name the fingerprint: %s", t.LastError.Hint)
	}
	w.check(w.events("auth") == 0, "the password went to a server that is not trusted")
	w.setOption("vpn", "cert_pin", []string{"sha256:" + pin[:64]})
	w.reload()
	w.waitUp("vpn", upLimit)
	by := w.tunnel("vpn").TLS.VerifiedBy
	w.check(strings.HasPrefix(by, "pin"), "verified by %q, not by the pin", by)
	w.check(w.netifd("vpn").code() == "", "netifd still shows %s", w.netifd("vpn").code())
}

func nobodyListens(w *world) {
	w.start(setup{silent: true})
	w.waitFailed("vpn", "CONNECT_FAILED", upLimit)
	w.check(!w.router.hasDevice(device), "there is a device while the tunnel is down")
	w.serveVPN()
	took := w.waitUp("vpn", 20*time.Second)
	w.say("up %.1f s after the server started", took.Seconds())
	w.check(w.netifd("vpn").code() == "", "netifd still shows %s", w.netifd("vpn").code())
	w.oneDaemon("vpn")
}

func packetsVanish(w *world) {
	_, err := w.internet.run("ip", "route", "add", "blackhole", serverAddress)
	w.must(err)
	w.start(setup{})
	w.waitFailed("vpn", "CONNECT_TIMEOUT", 20*time.Second)
	_, err = w.internet.run("ip", "route", "del", "blackhole", serverAddress)
	w.must(err)
	w.waitUp("vpn", 20*time.Second)
}

func noSuchName(w *world) {
	w.start(setup{vpn: options{"server": "nowhere.example"}})
	w.waitFailed("vpn", "PEER_RESOLVE_FAIL", upLimit)
	w.check(strings.Contains(w.tunnel("vpn").LastError.Message, "nowhere.example"), "the message does not name the name: %s", w.tunnel("vpn").LastError.Message)
	w.oneDaemon("vpn")
}

func badOptions(w *world) {
	w.start(setup{vpn: options{"mtu": "90"}})
	wrong := func() string {
		n := w.netifd("vpn")
		if n.code() != "INVALID_OPTIONS" {
			return fmt.Sprintf("netifd shows %q", n.code())
		}
		if text := fmt.Sprint(n.Errors[0].Data); !strings.Contains(text, "mtu") || !strings.Contains(text, "'90'") {
			return "the message does not name the option and its value: " + text
		}
		return ""
	}
	w.until(upLimit, "netifd shows INVALID_OPTIONS and names the option", wrong)
	starts := func() int { return strings.Count(w.router.must("logread"), "is setting up now") }
	before := starts()
	w.always(3*time.Second, "it stays so, and nothing is restarted", func() string {
		if n := starts() - before; n > 0 {
			return fmt.Sprintf("%d restarts", n)
		}
		return wrong()
	})
	w.setOption("vpn", "mtu", "1300")
	w.reload()
	w.waitUp("vpn", upLimit)
	w.check(w.tunnel("vpn").MTU == 1300, "the MTU is %d", w.tunnel("vpn").MTU)
}

func oddOptions(w *world) {
	w.start(setup{vpn: options{
		"tls_legacy": "on", "offload": "no", "authfail": "False", "port": " 443 ", "keepalive": "3  10", "hold": "020", "log_level": "debug",
		"server": []string{serverName, serverName}, "auth": "mschapv2 eap-mschapv2", "nonsense": "1", "mtu": "1400 bytes",
	}})
	w.until(upLimit, "it is up, or an option is named that is wrong", func() string {
		n := w.netifd("vpn")
		if n.code() == "INVALID_OPTIONS" && len(n.Errors[0].Data) > 0 {
			w.say("%s", n.Errors[0].Data[0])
			return ""
		}
		return w.notUp("vpn")
	})
	// netifd hands a list on only where an option is one.
	w.router.must("uci delete network.vpn.username; uci delete network.vpn.mtu; uci delete network.vpn.hold; uci set network.vpn.log_level=2; uci add_list network.vpn.username=%s; uci commit", user)
	w.reload()
	w.until(upLimit, "the missing user name is named", func() string {
		t, err := w.tunnelStatus("vpn")
		if !strings.Contains(t.LastError.Message, "username") {
			return fmt.Sprintf("%q (%v)", t.LastError.Message, err)
		}
		return ""
	})
}

func noDevice(w *world) {
	w.start(setup{vpn: options{"auto": "0"}})
	w.router.must("rm /dev/net/tun; ifup vpn")
	w.waitFailed("vpn", "TUN_FAILED", upLimit)
	w.oneDaemon("vpn")
	w.router.must("ifdown vpn; mknod -m 666 /dev/net/tun c 10 200")
	w.waitDown("vpn", "none", 5*time.Second) // looks into the kernel too: the foreign device comes afterwards
	w.router.must("ip-full link add %[1]s type veth 2>/dev/null || ip link add %[1]s type veth", device)
	w.router.must("ifup vpn")
	w.waitFailed("vpn", "TUN_FAILED", upLimit)
	w.router.must("ip-full link del %[1]s 2>/dev/null || ip link del %[1]s", device)
	w.waitUp("vpn", 20*time.Second)
}
