package main

import (
	"context"
	"fmt"
	"net/netip"
	"strings"

	"sstp/src/blobmsg"
	"sstp/src/config"
	"sstp/src/transport"
	"sstp/src/uci"
)

// runningLogin is a tunnel that is logged in, or about to be. A server that allows one login of a user ends it when the same
// user logs in once more.
type runningLogin struct {
	name     string // of the interface
	state    string
	auth     string // the method, as in the status; "" before the login is through
	uptime   int64  // in seconds
	server   string // as config.Server's String writes it
	address  netip.AddrPort
	viaProxy bool // address is the proxy's
}

// runningLogins returns the tunnels that are logged in with the user name of t at whatever server. A tunnel whose user name
// cannot be found out counts.
func (q inquirer) runningLogins(ctx context.Context, t *config.Tunnel) (list []runningLogin) {
	if t.Username == "" {
		return nil
	}
	names, err := q.tunnels(ctx)
	if err != nil {
		return nil
	}
	users := map[string]string{}
	if q.bus != nil {
		for _, section := range uci.Tunnels(ctx, q.bus) {
			users[section.Text(".name")] = section.Text("username")
		}
	}
	for _, name := range names {
		if user, known := users[name]; known && !sameUser(user, t.Username) {
			continue
		}
		a, err := q.ask(ctx, name)
		if err != nil || !a.runs || !holdsLogin(a.fields.Text("state")) {
			continue
		}
		uptime, _ := a.fields.Number("uptime_s")
		address, _ := netip.ParseAddrPort(a.fields.Text("server_address"))
		list = append(list, runningLogin{
			name: name, state: a.fields.Text("state"), auth: a.fields.Text("auth"), uptime: uptime,
			server: a.fields.Text("server"), address: address, viaProxy: a.fields.Text("proxy") != "",
		})
	}
	return list
}

// holdsLogin reports whether a tunnel in that state is logged in or logs in just now.
func holdsLogin(state string) bool { return state == "auth" || state == "network" || state == "up" }

// sameUser compares user names as servers do: without a domain in front, and in whatever case.
func sameUser(a, b string) bool { return strings.EqualFold(bareUser(a), bareUser(b)) }

func bareUser(name string) string { return name[strings.LastIndexByte(name, '\\')+1:] }

// at reports whether the tunnel is logged in at the server that a connection has reached.
func (l runningLogin) at(server config.Server, info transport.Info) bool {
	return l.server == server.String() || info.Proxy == "" && !l.viaProxy && l.address.IsValid() && l.address == info.Server
}

// loginGuard keeps a probe from logging in where that may end the call of a running tunnel.
type loginGuard struct {
	running []runningLogin
	server  config.Server
	held    *runningLogin // the tunnel because of which the probe did not log in
}

// mayLogIn is session.ProbeConfig's.
func (g *loginGuard) mayLogIn(info transport.Info) bool {
	for i, l := range g.running {
		if l.at(g.server, info) {
			g.held = &g.running[i]
			return false
		}
	}
	return true
}

// fields writes the tunnel down for the plugin's answer.
func (l runningLogin) fields() (f blobmsg.Fields) {
	f.AddText("interface", l.name)
	f.AddText("state", l.state)
	f.AddSome("auth", l.auth)
	f.AddCount("uptime_s", l.uptime)
	return f
}

// text says why the login was not tried.
func (l runningLogin) text() string {
	return fmt.Sprintf("The login was not tried: tunnel %s is %s with the same user name. A server that allows one login at a time would end it.", l.name, l.state)
}
