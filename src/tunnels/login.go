package tunnels

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

// Login is a tunnel that is logged in or logging in. A server that allows one login per user ends it when the same user logs in
// again.
type Login struct {
	name     string // of the interface
	state    string
	auth     string // the method, as in the status; "" before the login is through
	uptime   int64  // in seconds
	server   string // as config.Server's String writes it
	address  netip.AddrPort
	viaProxy bool // address is the proxy's
}

// Logins returns the tunnels that are logged in with the user name of t at any server. A tunnel whose user name is unknown
// counts.
func (q Client) Logins(ctx context.Context, t *config.Tunnel) (list []Login) {
	if t.Username == "" {
		return nil
	}
	names, err := q.Names(ctx)
	if err != nil {
		return nil
	}
	users := map[string]string{}
	if q.Bus != nil {
		for _, section := range uci.Tunnels(ctx, q.Bus) {
			users[section.Text(".name")] = section.Text("username")
		}
	}
	for _, name := range names {
		if user, known := users[name]; known && !sameUser(user, t.Username) {
			continue
		}
		a, err := q.Ask(ctx, name)
		if err != nil || !a.Runs || !holdsLogin(a.Fields.Text("state")) {
			continue
		}
		uptime, _ := a.Fields.Number("uptime_s")
		address, _ := netip.ParseAddrPort(a.Fields.Text("server_address"))
		list = append(list, Login{
			name: name, state: a.Fields.Text("state"), auth: a.Fields.Text("auth"), uptime: uptime,
			server: a.Fields.Text("server"), address: address, viaProxy: a.Fields.Text("proxy") != "",
		})
	}
	return list
}

// holdsLogin reports whether a tunnel in that state is logged in or logging in.
func holdsLogin(state string) bool { return state == "auth" || state == "network" || state == "up" }

// sameUser compares user names as servers do: without the domain, ignoring case.
func sameUser(a, b string) bool { return strings.EqualFold(bareUser(a), bareUser(b)) }

func bareUser(name string) string { return name[strings.LastIndexByte(name, '\\')+1:] }

// at reports whether the tunnel is logged in at the server of a connection.
func (l Login) at(server config.Server, info transport.Info) bool {
	return l.server == server.String() || info.Proxy == "" && !l.viaProxy && l.address.IsValid() && l.address == info.Server
}

// Guard keeps a probe from logging in if that may end the call of a running tunnel.
type Guard struct {
	Running []Login
	Server  config.Server
	Held    *Login // the tunnel because of which the probe did not log in
}

// MayLogIn is session.ProbeConfig's.
func (g *Guard) MayLogIn(info transport.Info) bool {
	for i, l := range g.Running {
		if l.at(g.Server, info) {
			g.Held = &g.Running[i]
			return false
		}
	}
	return true
}

// Fields returns the tunnel as the plugin's answer shows it.
func (l Login) Fields() (f blobmsg.Fields) {
	f.AddText("interface", l.name)
	f.AddText("state", l.state)
	f.AddSome("auth", l.auth)
	f.AddCount("uptime_s", l.uptime)
	return f
}

// Text returns the sentence that says why the login was not tried.
func (l Login) Text() string {
	return fmt.Sprintf("The login was not tried: tunnel %s is %s with the same user name. A server that allows one login at a time would end it.", l.name, l.state)
}
