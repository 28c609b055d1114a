package main

// scenarios are all scenarios, in the order in which they are run.
var scenarios = []scenario{
	{name: "router", what: "the router itself: its daemons, LAN, WAN and names, before anything of ours runs", run: theRouterItself},
}

func theRouterItself(w *world) {
	w.start(setup{noVPN: true})
	w.reaches(w.lan, lanRouter, upLimit)
	w.reaches(w.router.net, publicAddress, upLimit)
	w.say("%s", w.router.must("ubus list | tr '\\n' ' '"))
	w.say("%s", w.router.must("cat /etc/resolv.conf; nslookup vpn.example || true"))
	w.say("%s", w.router.output.String())
}
