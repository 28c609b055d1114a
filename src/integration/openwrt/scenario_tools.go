package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strings"
	"time"
)

func anOldConfiguration(w *world) {
	w.start(setup{vpn: options{
		"ca_cert": nil, "ipv6": "1", "log_level": "1",
		"sstp_options": "--cert-warn --tls-ext --frobnicate",
		"pppd_options": "noauth refuse-eap require-mschap-v2 nomppe mtu 1300 mru 1300 lcp-echo-interval 5 lcp-echo-failure 2 persist maxfail 0 defaultroute levitate",
	}})
	w.waitUp("vpn", upLimit)
	t := w.tunnel("vpn")
	w.check(t.MTU == 1300, "the MTU is %d, pppd_options say 1300", t.MTU)
	w.check(t.TLS.VerifiedBy == "none", "verified by %q, --cert-warn says by nothing", t.TLS.VerifiedBy)
	warned := fmt.Sprint(t.Warned)
	for _, word := range []string{"frobnicate", "levitate"} {
		w.check(strings.Contains(warned, word), "nothing warns of %q: %s", word, warned)
	}
	w.check(!strings.Contains(warned, "lcp-echo-interval"), "it warns of a word that it knows: %s", warned)
	for _, word := range []string{"frobnicate", "levitate"} {
		n := strings.Count(w.router.must("logread -e sstp"), word)
		w.check(n == 1, "the log tells of %s %d times", word, n)
	}
	w.setOption("vpn", "mtu", "9200") // the old page took it
	w.reload()
	w.until(upLimit, "up, with a warning of the mtu", func() string {
		if why := w.notUp("vpn"); why != "" {
			return why
		}
		if warned := fmt.Sprint(w.tunnel("vpn").Warned); !strings.Contains(warned, "9200 counts as 1500") {
			return warned
		}
		return ""
	})
}

func renewDialsAnew(w *world) {
	r := w.up(setup{})
	w.must(w.router.call(nil, "network.interface.vpn", "renew", nil))
	r.reconnected(1, upLimit)
	r.livedOn()
	w.router.must("sstp reconnect vpn")
	r.reconnected(2, upLimit)
	r.livedOn()
	w.must(w.router.call(nil, "sstp.vpn", "reconnect", nil))
	r.reconnected(3, upLimit)
	r.livedOn()
	var history struct{ Events []map[string]any }
	w.must(w.router.call(&history, "sstp.vpn", "history", nil))
	w.check(len(history.Events) >= 6, "the history has %d events", len(history.Events))
}

func statusExplains(w *world) {
	w.start(setup{vpn: options{"auto": "0"}})
	status := func(wantUp bool, words ...string) {
		out, err := w.router.run("sstp", "status", "vpn")
		w.check((err == nil) == wantUp, "sstp status: %v", err)
		for _, word := range words {
			w.check(strings.Contains(out, word), "sstp status does not say %q:\n%s", word, out)
		}
		if !wantUp {
			w.check(len(strings.TrimSpace(out)) > 10, "sstp status explains nothing: %q", out)
		}
		w.say("sstp status vpn:\n%s", out)
	}
	status(false, "vpn", "ifup")
	w.router.must("ifup vpn")
	w.waitUp("vpn", upLimit)
	status(true, "up", serverName, insideClient, "TLS 1.3", "wan")
	out := w.router.must("sstp status --json")
	w.check(json.Valid([]byte(out)), "sstp status --json is no JSON:\n%s", out)
	w.router.must("ifdown vpn")
	w.waitDown("vpn", device, 5*time.Second)
	status(false, "vpn", "ifup")
	w.setOption("vpn", "disabled", "1")
	w.reload()
	w.until(5*time.Second, "netifd no longer has it", func() string {
		if w.router.onBus("network.interface.vpn") {
			return "it has"
		}
		return ""
	})
	status(false, "disabled")
	w.router.must("uci set network.new=interface; uci set network.new.proto=sstp; uci commit network")
	for name, says := range map[string]string{"new": "not read", "lan": "protocol static", "nobody": "no interface nobody"} {
		out, err := w.router.run("sstp", "status", name)
		w.check(err != nil && strings.Contains(out, says), "sstp status %s does not say %q:\n%s", name, says, out)
	}
}

func probeByName(w *world) {
	r := w.up(setup{})
	out := w.router.must("sstp probe vpn")
	for _, stage := range []string{"resolve", "connect", "tls", "http", "sstp"} {
		w.check(strings.Contains(out, "ok     "+stage), "stage %s is not ok:\n%s", stage, out)
	}
	w.check(strings.Contains(out, "The login was not tried") && !strings.Contains(out, "ok     auth"), "it logged in while the tunnel is up:\n%s", out)
	out = w.router.must("sstp probe vpn --anyway")
	w.check(strings.Contains(out, "ok     auth"), "the login failed:\n%s", out)
	w.check(w.notUp("vpn") == "", "%s", w.notUp("vpn"))
	w.check(w.tunnel("vpn").Reconnects == 0, "the probe disturbed the tunnel")
	w.must(r.conversation.say(5 * time.Second))
}

func theLog(w *world) {
	if !w.router.has("sbin/logd") {
		w.skip("the root has no logd")
	}
	w.up(setup{})
	lines := func() int { return strings.Count(w.router.must("logread -e '^sstp\\['"), "\n") }
	out := w.router.must("logread -e '^sstp\\['")
	w.check(strings.Contains(out, "daemon.info sstp[") || strings.Contains(out, "daemon.notice sstp["), "no line with tag sstp:\n%s", out)
	w.check(lines() < 15, "%d lines for one call at level 2:\n%s", lines(), out)
	w.check(!strings.Contains(w.router.must("logread"), "netifd: vpn ("), "the daemon writes to netifd's pipe")
	w.say("%s", out)

	w.must(w.router.call(nil, "sstp.vpn", "log_level", map[string]any{"level": 0}))
	before := lines()
	w.router.must("sstp reconnect vpn")
	w.until(upLimit, "reconnected", func() string {
		if w.tunnel("vpn").Reconnects == 0 {
			return "not yet"
		}
		return w.notUp("vpn")
	})
	w.check(lines() == before, "it writes at level 0 though nothing failed:\n%s", w.router.must("logread -e '^sstp\\['"))
	w.must(w.router.call(nil, "sstp.vpn", "log_level", map[string]any{"level": 4}))
	w.router.must("sstp reconnect vpn")
	w.until(upLimit, "more is written at level 4", func() string {
		if n := lines(); n <= before+3 {
			return fmt.Sprintf("%d lines, before %d", n, before)
		}
		return ""
	})
	err := w.router.call(nil, "sstp.vpn", "log_level", map[string]any{"level": 9})
	w.check(err != nil, "level 9 was taken")
}

func secretsStaySecret(w *world) {
	stop, seen := make(chan struct{}), make(chan string, 1)
	go func() { // looks all the time, also while the daemon starts
		for {
			for _, p := range w.router.processes("sstp") {
				if text := strings.Join(p.args, " "); strings.Contains(text, secret) {
					seen <- text
					return
				}
			}
			select {
			case <-stop:
				seen <- ""
				return
			case <-time.After(5 * time.Millisecond):
			}
		}
	}()
	w.start(setup{vpn: options{"log_level": "4"}})
	w.waitUp("vpn", upLimit)
	w.must(w.lab.Signal(cut))
	w.until(upLimit, "reconnected", func() string {
		if w.tunnel("vpn").Reconnects == 0 {
			return "not yet"
		}
		return w.notUp("vpn")
	})
	w.router.must("sstp probe vpn")
	close(stop)
	text := <-seen
	w.check(text == "", "the password stands on a command line: %s", text)

	// netifd may have forgotten an interface while its handler still runs.
	out, _ := w.router.sh(`cd /lib/netifd/proto; ./sstp.sh sstp setup gone '{"proto":"sstp","password":"%s"}' 2>&1`, secret)
	w.check(!strings.Contains(out, secret), "the handler prints the password, which netifd would log:\n%s", out)

	for _, place := range []string{"logread", "ubus call sstp.vpn status", "ubus call sstp.vpn history", "sstp status", "cat /tmp/hotplug.log",
		"ubus call network.interface.vpn status", "ubus call network.interface dump"} {
		w.check(!strings.Contains(w.router.must("%s", place), secret), "the password stands in %s", place)
	}
	w.check(!strings.Contains(w.router.output.String(), secret), "the password stands in a daemon's output")
	out, _ = w.router.sh("grep -rl %s /tmp /dev/shm 2>/dev/null", secret)
	w.check(out == "", "the password stands in files: %s", out)
	info, err := os.Stat(fmt.Sprintf("/proc/%d/environ", w.router.daemons("vpn")[0].pid))
	w.must(err)
	w.check(info.Mode().Perm()&0o077 == 0, "others can read the daemon's environment: %v", info.Mode())
}

// rpc calls the router's JSON-RPC as a browser on the LAN does, and returns the result: its first element is ubus' status.
func (w *world) rpc(session, object, method string, args any) (status int, answer map[string]any) {
	if args == nil {
		args = map[string]any{}
	}
	body, err := json.Marshal(map[string]any{"jsonrpc": "2.0", "id": 1, "method": "call", "params": []any{session, object, method, args}})
	w.must(err)
	client := http.Client{Timeout: 30 * time.Second}
	resp, err := client.Post("http://"+lanRouter+"/ubus", "application/json", bytes.NewReader(body))
	w.must(err)
	defer resp.Body.Close()
	var reply struct {
		Result []json.RawMessage
		Error  struct{ Code int }
	}
	w.must(json.NewDecoder(resp.Body).Decode(&reply))
	if reply.Error.Code != 0 || len(reply.Result) == 0 {
		return reply.Error.Code, nil
	}
	w.must(json.Unmarshal(reply.Result[0], &status))
	if len(reply.Result) > 1 {
		w.must(json.Unmarshal(reply.Result[1], &answer))
	}
	return status, answer
}

const nobody = "00000000000000000000000000000000"

func theUnprivileged(w *world) {
	w.up(setup{})
	for _, args := range [][]string{{"ubus", "call", "sstp.vpn", "status"}, {"ubus", "call", "sstp.vpn", "reconnect"}, {"sstp", "reconnect", "vpn"}, {"sstp", "status"}} {
		out, err := w.router.runAs("nobody", args...)
		w.check(err != nil && !strings.Contains(out, insideClient) && (args[0] == "ubus" || strings.Contains(out, "only root")), "a user without rights may call %s:\n%s", strings.Join(args, " "), out)
		w.say("%s: %s", strings.Join(args, " "), strings.TrimSpace(out))
	}
	w.check(w.tunnel("vpn").Reconnects == 0, "it was dialed anew")
}

func theWebInterface(w *world) {
	if !w.router.has("usr/sbin/uhttpd") || !w.router.has("sbin/rpcd") {
		w.skip("the root has no uhttpd or no rpcd")
	}
	if !w.router.has("usr/share/rpcd/acl.d/luci-app-sstp.json") {
		w.fail("luci/root has no ACL")
	}
	w.start(setup{web: true, vpn: options{"ca_cert": nil}})
	w.waitFailed("vpn", "CERT_UNTRUSTED", upLimit)
	w.until(5*time.Second, "the web server answers", func() string {
		resp, err := http.Get("http://" + lanRouter + "/")
		if err != nil {
			return err.Error()
		}
		resp.Body.Close()
		return ""
	})
	status, login := w.rpc(nobody, "session", "login", map[string]any{"username": webUser, "password": webPassword})
	session, _ := login["ubus_rpc_session"].(string)
	if status != 0 || session == "" {
		w.fail("no login to rpcd: status %d, %v", status, login)
	}
	status, tunnel := w.rpc(session, "sstp.vpn", "status", nil)
	w.check(status == 0 && tunnel["interface"] == "vpn", "the session may not read the status: %d %v", status, tunnel)
	for _, method := range []string{"status", "history", "reconnect"} {
		status, answer := w.rpc(nobody, "sstp.vpn", method, nil)
		w.check(status != 0, "somebody without a session may call %s: %v", method, answer)
	}
	status, probe := w.rpc(session, "sstp", "probe", map[string]any{"interface": "vpn"})
	w.say("probe: %d %v", status, probe)
	w.check(status == 0 && len(probe) > 0, "the session may not probe: %d %v", status, probe)

	fingerprint := w.fingerprint()
	status, answer := w.rpc(nobody, "sstp", "trust", map[string]any{"interface": "vpn", "fingerprint": fingerprint})
	w.check(status != 0, "somebody without a session may trust a certificate: %v", answer)
	status, answer = w.rpc(session, "sstp", "trust", map[string]any{"interface": "vpn", "fingerprint": fingerprint})
	w.check(status == 0, "the session may not trust a certificate: %d %v", status, answer)
	w.say("trust: %d %v", status, answer)
	pins, _ := w.router.sh("uci -q get network.vpn.cert_pin")
	if !strings.Contains(pins, fingerprint) {
		w.router.sh("uci commit network")
		pins, _ = w.router.sh("uci -q get network.vpn.cert_pin")
	}
	w.check(strings.Contains(pins, fingerprint), "the pin was not stored: %q", pins)
	w.reload()
	w.waitUp("vpn", upLimit)
}
