package main

import (
	"context"
	"crypto/rand"
	"crypto/x509"
	"strings"
	"time"

	"sstp/src/blobmsg"
	"sstp/src/config"
	"sstp/src/control"
	"sstp/src/machine"
	"sstp/src/session"
	"sstp/src/text"
	"sstp/src/transport/trust"
	"sstp/src/tunnels"
	"sstp/src/ubus"
	"sstp/src/uci"
)

// rpcdProbe tries the servers of a tunnel stage by stage. The options of the call go before those of the interface, so that
// a form can be tried before it is saved. Where the login may end the call of a running tunnel, it is tried only with the
// argument anyway.
func rpcdProbe(ctx context.Context, bus *ubus.Client, request blobmsg.Fields) blobmsg.Fields {
	t, warnings, err := probeOptions(ctx, bus, request)
	var reply blobmsg.Fields
	if err != nil {
		reply = failure(err)
	}
	reply.AddTables("warnings", control.WarningFields(warnings))
	if err != nil {
		return reply
	}
	var running []tunnels.Login
	if anyway, _ := request.Flag("anyway"); !anyway {
		running = tunnels.Client{Bus: bus, Folder: localFolder()}.Logins(ctx, t)
	}
	var servers []blobmsg.Fields
	for _, server := range t.Servers {
		guard := tunnels.Guard{Running: running, Server: server}
		report := session.Probe(ctx, session.ProbeConfig{
			Tunnel: t, Server: server, Dial: machine.ProbeDialer(t, bus), InnerTLS: machine.InnerTLS(t), Random: rand.Reader, MayLogIn: guard.MayLogIn,
		})
		fields := reportFields(report)
		if guard.Held != nil {
			fields.AddTable("login_not_tried", guard.Held.Fields())
		}
		servers = append(servers, fields)
		if ctx.Err() != nil {
			break
		}
	}
	reply.AddTables("servers", servers)
	return reply
}

// probeOptions puts the options of a probe together.
func probeOptions(ctx context.Context, bus uci.Bus, request blobmsg.Fields) (*config.Tunnel, []config.Warning, error) {
	name, stored := request.Text("interface"), config.Values{}
	if name != "" {
		var err error
		if stored, err = uci.Options(ctx, bus, name, callerSession(request)); err == nil {
			err = uci.CheckProto(stored, name)
		}
		if err != nil {
			return nil, nil, uci.Fault("read", name, err)
		}
	} else {
		name = "probe"
	}
	given := config.Values{}
	for _, f := range request.Table("options") {
		list, typ := f.Value.Texts(), f.Value.Type()
		if typ != blobmsg.TypeString && (typ != blobmsg.TypeArray || len(list) != len(f.Value.Items())) {
			return nil, nil, invalid("Option %s must be a text or a list of texts.", f.Name)
		}
		given[f.Name] = list
	}
	return config.Parse(name, overlay(stored, given))
}

// overlay puts the given options over the stored ones. A password is stored for a user: where another one is given without
// a password, there is none.
func overlay(stored, given config.Values) config.Values {
	v := config.Values{}
	for name, list := range stored {
		v[name] = list
	}
	_, withPassword := given["password"]
	if _, ok := given["username"]; ok && !withPassword && given.Last("username") != stored.Last("username") {
		delete(v, "password")
	}
	for name, list := range given {
		v[name] = list
	}
	return v
}

func reportFields(r *session.Report) (t blobmsg.Fields) {
	var stages, chain []blobmsg.Fields
	for _, s := range r.Steps {
		var f blobmsg.Fields
		f.AddText("stage", string(s.Stage))
		f.AddFlag("ok", s.Err == nil)
		f.AddDouble("ms", float64(s.Took)/float64(time.Millisecond))
		if s.Err == nil {
			f.AddText("finding", text.Show(s.Finding.Text, maxShown))
			f.AddSome("finding_key", string(s.Finding.Key))
			f.AddTexts("finding_args", shownArgs(s.Finding.Args))
		} else {
			f.AddText("code", string(s.Err.Code))
			addFault(&f, s.Err)
		}
		stages = append(stages, f)
	}
	for _, c := range r.Chain {
		chain = append(chain, certificateFields(c))
	}
	t.AddText("server", r.Server.String())
	t.AddFlag("ok", r.Failed() == nil)
	t.AddText("verified_by", r.VerifiedBy)
	t.AddTables("stages", stages)
	t.AddTables("chain", chain)
	return t
}

// shownArgs returns texts in a form that can be shown.
func shownArgs(args []string) (list []string) {
	for _, a := range args {
		list = append(list, text.Show(a, maxShown))
	}
	return list
}

func certificateFields(c *x509.Certificate) (t blobmsg.Fields) {
	t.AddText("subject", nameText(c, true))
	t.AddText("issuer", nameText(c, false))
	t.AddCount("not_before", c.NotBefore.Unix())
	t.AddCount("not_after", c.NotAfter.Unix())
	t.AddTexts("names", trust.Names(c))
	t.AddText("sha256", strings.TrimPrefix(trust.Fingerprint(c), "sha256:"))
	t.AddText("spki_sha256", strings.TrimPrefix(trust.KeyPin(c).String(), "spki-sha256:"))
	return t
}
