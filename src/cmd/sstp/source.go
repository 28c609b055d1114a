package main

import (
	"context"
	"os"
	"strings"

	"sstp/src/blobmsg"
	"sstp/src/config"
	"sstp/src/control"
	"sstp/src/fault"
	"sstp/src/ubus"
	"sstp/src/ucifile"
)

// Environment of the daemon, and of every command that speaks to the bus.
const (
	configEnv = "SSTP_CONFIG"  // netifd's JSON with the interface's options
	socketEnv = "UBUS_SOCKET"  // ubusd's socket, where it is not in its usual place
	folderEnv = "SSTP_SOCKETS" // folder of the sockets of sstp up, where it is not the usual one
)

// caller is what the commands need of the bus.
type caller interface {
	Call(ctx context.Context, object, method string, args blobmsg.Fields) (blobmsg.Fields, error)
}

// options reads the options of an interface from the best source there is: what netifd handed over, which is what it goes
// by itself; the configuration as ubus gives it, read by libuci; and the file, read by ourselves.
func options(ctx context.Context, bus caller, name string) (config.Values, error) {
	if handed, ok := os.LookupEnv(configEnv); ok {
		return config.ParseJSON([]byte(handed))
	}
	if values, err := uciOptions(ctx, bus, name, ""); err == nil {
		return values, checkProto(values, name)
	}
	return ucifile.Read("", name)
}

// uciOptions reads an interface section through rpcd. With a session, rpcd's rules for it apply, and its changes that are not
// saved yet are there.
func uciOptions(ctx context.Context, bus caller, name, session string) (config.Values, error) {
	var args blobmsg.Fields
	args.AddText("config", "network")
	args.AddText("section", name)
	args.AddSome("ubus_rpc_session", session)
	reply, err := bus.Call(ctx, "uci", "get", args)
	if err != nil {
		return nil, err
	}
	section := reply.Table("values")
	if section == nil {
		return nil, ubus.StatusNotFound // rpcd answers so for a section that does not exist: with nothing
	}
	return config.FromFields(section), nil
}

func checkProto(v config.Values, name string) error {
	if proto := v["proto"]; len(proto) != 1 || proto[0] != "sstp" {
		return fault.New(fault.InvalidOptions, fault.StageConfig, "Interface "+name+" is of protocol '"+strings.Join(proto, " ")+"', not sstp.").
			WithHint("Name an interface with option proto 'sstp'.")
	}
	return nil
}

// busOptions says how to reach ubusd.
func busOptions() ubus.Options { return ubus.Options{Socket: os.Getenv(socketEnv)} }

// localFolder is where sstp up makes its sockets.
func localFolder() string {
	if folder := os.Getenv(folderEnv); folder != "" {
		return folder
	}
	return control.LocalFolder
}
