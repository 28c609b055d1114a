package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"time"

	"sstp/src/blobmsg"
	"sstp/src/config"
	"sstp/src/control"
	"sstp/src/fault"
	"sstp/src/firewall"
	"sstp/src/phrase"
	"sstp/src/ubus"
	"sstp/src/uci"
)

// rpcdLimit bounds a call of the plugin: rpcd ends a plugin after 30 s as OpenWrt starts it.
const rpcdLimit = 25 * time.Second

// maxRPCD is the most that a caller may send.
const maxRPCD = 256 << 10

// rpcdSignature is the plugin's answer to "list": its methods, and of each argument a value of its type. rpcd reads at most
// 1 KiB of it.
const rpcdSignature = `{"tunnels":{},"probe":{"interface":"","options":{},"anyway":false},"trust":{"interface":"","fingerprint":"","replace":false}}`

// rpcd is the plugin of that name: object sstp, for LuCI. It answers "list", and "call METHOD" with the arguments on its
// standard input; both ways it is JSON.
func rpcd(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	switch {
	case len(args) == 1 && args[0] == "list":
		fmt.Fprintln(stdout, rpcdSignature)
		return exitOK
	case len(args) != 2 || args[0] != "call":
		fmt.Fprintln(stderr, "error: this is called by rpcd, as list or call METHOD")
		return exitUsage
	}
	request, err := readRequest(stdin)
	if err != nil {
		printJSON(stdout, failure(err))
		return exitOK
	}
	ctx, cancel := context.WithTimeout(context.Background(), rpcdLimit)
	defer cancel()
	bus, err := ubus.Dial(ctx, busOptions())
	if err != nil {
		fmt.Fprintf(stderr, "error: %v\n", err)
		return exitFailed
	}
	defer bus.Close()
	var reply blobmsg.Fields
	switch args[1] {
	case "tunnels":
		reply = rpcdTunnels(ctx, bus)
	case "probe":
		reply = rpcdProbe(ctx, bus, request)
	case "trust":
		reply = rpcdTrust(ctx, bus, request)
	default:
		return exitUsage
	}
	printJSON(stdout, reply)
	return exitOK
}

func readRequest(r io.Reader) (blobmsg.Fields, error) {
	text, err := io.ReadAll(io.LimitReader(r, maxRPCD+1))
	if err != nil {
		return nil, err
	}
	if len(text) == 0 {
		return nil, nil
	}
	v, err := blobmsg.ParseJSON(text)
	if err != nil || len(text) > maxRPCD || v.Type() != blobmsg.TypeTable && v.Type() != blobmsg.TypeUnspec {
		return nil, invalid("The arguments are not a JSON object of at most 256 KiB.")
	}
	return v.Fields(), nil
}

func invalid(format phrase.Format, args ...string) *fault.Error {
	return fault.Newf(fault.InvalidOptions, fault.StageConfig, format, args...)
}

// failure is the answer to a call that failed as a whole.
func failure(err error) (reply blobmsg.Fields) {
	reply.AddTable("error", faultFields(fault.Of(err, fault.InvalidOptions, fault.StageConfig)))
	return reply
}

func faultFields(f *fault.Error) (t blobmsg.Fields) {
	t.AddText("code", string(f.Code))
	t.AddText("stage", string(f.Stage))
	addFault(&t, f)
	return t
}

// addFault adds what happened and what to do about it, with what translates both.
func addFault(t *blobmsg.Fields, f *fault.Error) {
	t.AddText("message", f.Message)
	t.AddSome("message_key", string(f.MessageKey))
	t.AddTexts("message_args", f.MessageArgs)
	t.AddText("hint", f.Hint)
	t.AddSome("hint_key", string(f.HintKey))
	t.AddTexts("hint_args", f.HintArgs)
}

// callerSession returns the id of the caller's session of rpcd, whose rights are the caller's. A caller on the bus itself,
// root, has none.
func callerSession(request blobmsg.Fields) string { return request.Text("ubus_rpc_session") }

// rpcdTunnels lists the configured tunnels, with what a page needs to show them and no secret: who may see their status need
// not be allowed to read the configuration. What is there of a kill switch belongs to it, because that holds without a daemon.
func rpcdTunnels(ctx context.Context, bus uci.Bus) (reply blobmsg.Fields) {
	switches := firewall.Switch{UCI: uci.Store{Bus: bus}, Firewall: firewall.Router()}
	var list []blobmsg.Fields
	for _, section := range uci.Tunnels(ctx, bus) {
		verify, disabled, auto := section.Text("verify"), section.Text("disabled"), section.Text("auto")
		if verify == "" {
			verify = "full"
		}
		var t blobmsg.Fields
		t.AddText("interface", section.Text(".name"))
		t.AddFlag("disabled", disabled == "1" || disabled == "true")
		t.AddFlag("auto", auto != "0" && auto != "false")
		t.AddTexts("server", section.Texts("server"))
		t.AddText("verify", verify)
		if st, err := switches.Inspect(ctx, section.Text(".name")); err == nil && (st.On || len(st.Problems) > 0) {
			t.AddTable("killswitch", control.KillSwitchFields(&st))
		}
		list = append(list, t)
	}
	reply.AddText("version", version)
	reply.AddTables("tunnels", list)
	return reply
}

// rpcdTrust stores a fingerprint of a server's certificate as cert_pin, by the rights of the caller's session, and commits
// it, which makes netifd restart the tunnel.
func rpcdTrust(ctx context.Context, bus uci.Bus, request blobmsg.Fields) blobmsg.Fields {
	name, pin := request.Text("interface"), request.Text("fingerprint")
	if err := storePin(ctx, bus, name, pin, request); err != nil {
		return failure(err)
	}
	return nil
}

func storePin(ctx context.Context, bus uci.Bus, name, pin string, request blobmsg.Fields) error {
	// The reader of the options knows what a pin is.
	if _, _, err := config.Parse("trust", config.Values{"server": {"localhost"}, "cert_pin": {pin}}); err != nil || pin == "" {
		return invalid("The fingerprint must be sha256: and 64 hexadecimal digits, or spki-sha256: and the base64 of the key's hash.")
	}
	id := callerSession(request)
	values, err := uci.Options(ctx, bus, name, id)
	if err == nil {
		err = uci.CheckProto(values, name)
	}
	if err != nil {
		return uci.Fault("read", name, err)
	}
	pins := values["cert_pin"]
	if replace, _ := request.Flag("replace"); replace {
		pins = nil
	}
	if !slices.Contains(pins, pin) {
		pins = append(slices.Clone(pins), pin)
	}
	var change, set, commit blobmsg.Fields
	change.AddTexts("cert_pin", pins)
	if values.Last("verify") == "none" {
		change.AddText("verify", "pin") // with none, a fingerprint has no effect
	}
	set.AddText("config", "network")
	set.AddText("section", name)
	set.AddTable("values", change)
	set.AddSome("ubus_rpc_session", id)
	if _, err := bus.Call(ctx, "uci", "set", set); err != nil {
		return uci.Fault("change", name, err)
	}
	commit.AddText("config", "network")
	commit.AddSome("ubus_rpc_session", id)
	if _, err := bus.Call(ctx, "uci", "commit", commit); err != nil {
		return uci.Fault("save", name, err)
	}
	// procd has netifd read what was committed, where the network is a service of procd's.
	if _, err := bus.Call(ctx, "network", "reload", nil); err != nil {
		return uci.Fault("use", name, err)
	}
	return nil
}
