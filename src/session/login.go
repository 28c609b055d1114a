package session

import (
	"crypto/sha256"
	"crypto/tls"
	"fmt"
	"io"
	"slices"

	"sstp/src/auth"
	"sstp/src/config"
	"sstp/src/fault"
	"sstp/src/joiner"
	"sstp/src/ppp"
	"sstp/src/sstp"
	"sstp/src/transport"
	"sstp/src/transport/trust"
)

// joinerConfig returns what the protocols of a call with the tunnel's server need to know.
func joinerConfig(t *config.Tunnel, info transport.Info, methods []auth.Method, inner *tls.Config, random io.Reader) joiner.Config {
	timers := sstp.DefaultTimers()
	timers.Hello = t.Keepalive.Interval
	cfg := joiner.Config{
		SSTP: sstp.Config{
			Role: sstp.Client, LeafCertificate: info.Leaf.Raw, Timers: timers, EchoFailures: t.Keepalive.Failures,
		},
		PPP: ppp.Config{Role: ppp.Client, MRU: t.MTUOver(info.Server.Addr()), IPv4: true, WantDNS: true, Rand: random},
		NewLogin: func(agreed auth.LCPAuth, nextID func() uint8) joiner.Login {
			return auth.NewPeer(auth.PeerConfig{
				Username: t.Username, Password: t.Password, Methods: methods, TLS: inner, Rand: random, NextID: nextID,
			}, agreed)
		},
	}
	for _, l := range auth.LCPProtocols(methods) {
		cfg.PPP.Auth = append(cfg.PPP.Auth, ppp.AuthProtocol{Protocol: ppp.Protocol(l.Protocol), Algorithm: l.Algorithm})
	}
	return cfg
}

// allowedMethods returns the login methods that may be used. verified is true when the server has proved by TLS who it
// is; insecure is option insecure_login.
func allowedMethods(wanted []config.AuthMethod, verified, insecure bool) (allowed []auth.Method) {
	for _, m := range wanted {
		if verified || !m.NeedsVerifiedServer() && (insecure || !m.CanBeRelayed()) {
			allowed = append(allowed, auth.Method(m))
		}
	}
	return allowed
}

// loginMethods returns the methods that may be used over a connection. The error says why none may.
func loginMethods(t *config.Tunnel, info transport.Info) ([]auth.Method, *fault.Error) {
	verified := info.VerifiedBy != trust.Unverified
	allowed := allowedMethods(t.Auth, verified, t.InsecureLogin)
	switch {
	case len(allowed) > 0:
		return allowed, nil
	case withholds(t, info):
		return nil, explainWithheld(t, info, fault.New(fault.AuthMethodRefused, fault.StageAuth,
			"The server's certificate is not verified, so the login would let somebody in between take the server's place. It is not made."))
	}
	return nil, fault.New(fault.AuthMethodRefused, fault.StageAuth,
		"Option auth allows only pap or chap, and these are never used with a server that is not verified.").
		WithHint("Set verify to full or pin, or allow mschapv2 in option auth.")
}

// withholds reports whether a method that option auth allows is not used because the server is not verified.
func withholds(t *config.Tunnel, info transport.Info) bool {
	return info.VerifiedBy == trust.Unverified && !t.InsecureLogin && slices.ContainsFunc(t.Auth, config.AuthMethod.CanBeRelayed)
}

// HintWithheld is the key of explainWithheld's hint, whose commands a page replaces by its buttons.
const HintWithheld = "LOGIN_WITHHELD"

// explainWithheld adds a hint with the commands that make the login possible.
func explainWithheld(t *config.Tunnel, info transport.Info, err *fault.Error) *fault.Error {
	pin := fmt.Sprintf("sha256:%x", sha256.Sum256(info.Leaf.Raw))
	err.HintKey = HintWithheld
	return err.WithDetail(fmt.Sprintf("If it is your server, choose Trust this certificate in Test connection, or run: "+
		"uci add_list network.%[1]s.cert_pin=%[2]s; uci set network.%[1]s.verify=pin; uci commit network; ifup %[1]s. "+
		"Option insecure_login '1' takes the risk instead.", t.Name, pin))
}
