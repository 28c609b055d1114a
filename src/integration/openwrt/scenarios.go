package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// scenarios are all scenarios, in the order in which they are run.
var scenarios = []scenario{
	{name: "router", what: "LAN, WAN and names of the router, before anything of ours runs", run: theRouterItself},
	{name: "boot", what: "the tunnel comes up at boot, by nobody's command", run: bootBringsItUp},
	{name: "addresses", what: "each address, route and name server, as netifd and as the kernel have it", run: theNetworkIsComplete},
	{name: "ifdown-ifup", what: "ifdown leaves nothing behind, ifup brings it back; many in a row end well", run: downAndUp},
	{name: "lan", what: "ping and checksummed transfers from the LAN through the firewall and the tunnel", run: theLANGoesThrough},
	{name: "ipv6-child", what: "vpn_6 gets an address by DHCPv6 or advertisement, in the firewall zone of vpn", run: theIPv6Child, limit: 4 * time.Minute},
	{name: "ipv6-server", what: "a server that has only an IPv6 address", run: aServerByIPv6},
	{name: "two-tunnels", what: "two tunnels at once, with two accounts", run: twoTunnels},
	{name: "long-name", what: "an interface whose device name would be too long", run: aLongName},
	{name: "odd-names", what: "interfaces with odd names: they work, or are left down, and nothing is started again and again", run: oddNames},

	{name: "wrong-password", what: "AUTH_FAILED, one login, a long wait", run: aWrongPassword},
	{name: "authfail", what: "option authfail: one login, then stopped until somebody wants it", run: authfailStops},
	{name: "untrusted", what: "CERT_UNTRUSTED with the fingerprint; stored as cert_pin it is trusted", run: anUntrustedCertificate},
	{name: "refused", what: "CONNECT_FAILED while nobody listens; up soon after the server started", run: nobodyListens},
	{name: "unreachable", what: "CONNECT_TIMEOUT while packets vanish; up when they arrive again", run: packetsVanish, limit: 2 * time.Minute},
	{name: "no-such-name", what: "PEER_RESOLVE_FAIL", run: noSuchName},
	{name: "bad-options", what: "INVALID_OPTIONS names the option, nothing is restarted; corrected, it comes up", run: badOptions},
	{name: "odd-options", what: "booleans as words, numbers with blanks, doubled options: understood or named", run: oddOptions},

	{name: "no-tun", what: "TUN_FAILED without /dev/net/tun, and where the device's name is taken; then it comes up", run: noDevice},

	{name: "cut", what: "a cut call: addresses stay, a TCP connection from the LAN lives on, netifd hears nothing", run: aCutCall},
	{name: "silent", what: "a server that falls silent is found out by echoes; the TCP connection lives on", run: aSilentServer},
	{name: "hold", what: "the server is killed and comes back within hold: the TCP connection lives on", run: backWithinHold},
	{name: "hold-by-name", what: "the same with the tunnel's own name server first in resolv.conf", run: backWithinHoldByName},
	{name: "beyond-hold", what: "gone for longer than hold: down, and up when the server is back", run: goneBeyondHold},
	{name: "new-address", what: "another address after the server came back: netifd has the new one alone", run: anotherAddress},
	{name: "daemon-killed", what: "the daemon is killed: netifd starts it anew", run: theDaemonIsKilled},

	{name: "second-wan", what: "a better WAN appears and goes: the tunnel moves there and back, TCP lives on", run: aSecondWAN},
	{name: "wan-lost", what: "the only WAN goes and comes back", run: theWANIsLost},

	{name: "same-peer", what: "another address of the same network, while the server holds the old call: the kernel has the new one", run: theSamePeer},
	{name: "wan-back", what: "the WAN comes back within hold, in five ways: packets go through the tunnel", run: theWANComesBack},
	{name: "log-stuck", what: "the log daemon is stopped: the tunnel reconnects and answers", run: aStuckLog},
	{name: "name-lies", what: "a name server that answers with somebody else's address: no route leads past the tunnel", run: aLyingNameServer},
	{name: "killed-moved", what: "the daemon is killed and the server moves: no route to the old address stays", run: killedBeforeTheMove},
	{name: "others-addresses", what: "a server that gives the router's, the LAN's and nobody's addresses: NO_ADDRESS, routes stay", run: addressesOfOthers, limit: 5 * time.Minute},
	{name: "bad-hold", what: "hold of nonsense: INVALID_OPTIONS, nothing half done", run: badHold},
	{name: "hold-forever", what: "hold forever: held for as long as it takes, traffic refused at once", run: heldForever, limit: 4 * time.Minute},

	{name: "wan-later", what: "the WAN comes up long after the tunnel was started", run: theWANComesLater},
	{name: "wan-address", what: "the WAN gets another address", run: anotherWANAddress},
	{name: "tunlink", what: "option tunlink: the named WAN, though another is better", run: aNamedUplink},
	{name: "equal-metrics", what: "WAN and tunnel with the same metric: the WAN's default route is back when the tunnel is down", run: equalMetrics},

	{name: "toggles", what: "defaultroute, peerdns, dns, metric and ip4table change live, without a new call", run: liveToggles},
	{name: "password-change", what: "a password corrected with uci and reload_config takes effect at once", run: thePasswordChanges},
	{name: "reload", what: "network reload without a change does nothing to the tunnel", run: aReloadOfNothing},
	{name: "network-restart", what: "ubus call network restart: one daemon, up again", run: networkRestart},
	{name: "service-restart", what: "/etc/init.d/network restart: one daemon, up again", run: serviceRestart},
	{name: "netifd-killed", what: "netifd is killed: one daemon, up again", run: netifdIsKilled},
	{name: "take-over", what: "a second daemon started by hand: in the end there is one, and it is netifd's", run: takeOver},
	{name: "started-twice", what: "netifd starts a second daemon itself: it takes the place of the first, with all addresses", run: startedTwice},
	{name: "ubusd-restarted", what: "ubusd is killed and started: the tunnel lives on, its object is back, ifdown works", run: ubusdIsRestarted},

	{name: "everything", what: "25 of all these things at moments left to chance; each time it comes up again", run: everythingAtOnce, limit: 10 * time.Minute},

	{name: "old-config", what: "the options of the package replaced: understood, unknown words warned of once", run: anOldConfiguration},
	{name: "renew", what: "renew and sstp reconnect dial anew; addresses stay", run: renewDialsAnew},
	{name: "status", what: "sstp status: up; without a daemon: down, stopped, disabled, not started at boot", run: statusExplains},
	{name: "probe", what: "sstp probe NAME goes through the stages and leaves the tunnel alone", run: probeByName},
	{name: "log", what: "lines with tag sstp, levels respected, changed live", run: theLog},
	{name: "secrets", what: "the password is in no command line, no log and no file that others can read", run: secretsStaySecret},
	{name: "unprivileged", what: "a user of the router without rights may not ask the tunnel anything", run: theUnprivileged},
	{name: "web", what: "LuCI's way in: a session may what its ACL says, nobody else anything", run: theWebInterface},

	{name: "leaves-without-switch", what: "what of the LAN leaves by the uplinks in each state without the kill switch; the status is true", run: withoutTheSwitch, limit: 8 * time.Minute},
	{name: "leaves-with-switch", what: "with the kill switch nothing of the LAN leaves by an uplink in any state", run: withTheSwitch, limit: 8 * time.Minute},
	{name: "switch-late", what: "the switch is turned on while flows go by the WAN: they end there", run: switchTurnedOnLate},
	{name: "switch-random", what: "ten runs through all events in random order: nothing of the LAN leaves by an uplink", run: randomRuns, limit: 40 * time.Minute},
	{name: "switch-firewall", what: "the firewall is reloaded, and restarted by hand: nothing of the LAN leaves by an uplink", run: firewallRestarted},
	{name: "switch-refused", what: "a kill switch that cannot be: a sentence, nothing half done; turned off it leaves no trace", run: badSwitches},
	{name: "up-hold-forever", what: "sstp up with hold forever: none of the machine's IPv4 leaves by another way", run: upHeldForever, limit: 6 * time.Minute},

	{name: "time-to-up", what: "from ifup to up, ten times", run: timeToUp},
	{name: "longest-silence", what: "ping each 10 ms while the server is killed and started at once, five times", run: longestSilence, limit: 2 * time.Minute},
}

func theRouterItself(w *world) {
	machine := func() (values []string) {
		for _, name := range machineSettings {
			value, _ := os.ReadFile(filepath.Join("/proc/sys", name))
			values = append(values, name+"="+strings.TrimSpace(string(value)))
		}
		return values
	}
	before := machine()
	w.start(setup{noVPN: true})
	w.reaches(w.lan, lanRouter, upLimit)
	w.reaches(w.router.net, publicAddress, upLimit)
	_, err := w.router.sh("ping -c 1 -W 2 %s", insideAddress)
	w.check(err != nil, "the inside of the VPN answers without a tunnel")

	for _, name := range machineSettings {
		w.router.sh("echo 1 > /proc/sys/%s", name)
	}
	w.check(slices.Equal(machine(), before), "the machine's settings were %v, the router made them %v", before, machine())
	_, err = w.router.sh("echo 77 > /proc/sys/vm/swappiness")
	w.check(err != nil, "the router may change the machine's settings")
	w.router.must("sysctl -w net.ipv4.ip_default_ttl=63")
}
