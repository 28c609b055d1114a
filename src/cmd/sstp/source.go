package main

import (
	"context"
	"os"

	"sstp/src/config"
	"sstp/src/control"
	"sstp/src/tunnels"
	"sstp/src/ubus"
	"sstp/src/uci"
	"sstp/src/ucifile"
)

// Environment of the daemon, and of every command that speaks to the bus.
const (
	configEnv = "SSTP_CONFIG"  // netifd's JSON with the interface's options
	socketEnv = "UBUS_SOCKET"  // ubusd's socket, where it is not in its usual place
	folderEnv = "SSTP_SOCKETS" // folder of the sockets of sstp up, where it is not the usual one
)

// options reads the options of an interface from the best source there is: what netifd handed over, which it follows itself;
// the configuration as rpcd gives it, read by libuci; and the file.
func options(ctx context.Context, bus uci.Bus, name string) (config.Values, error) {
	if handed, ok := os.LookupEnv(configEnv); ok {
		return config.ParseJSON([]byte(handed))
	}
	if values, err := uci.Options(ctx, bus, name, ""); err == nil {
		return values, uci.CheckProto(values, name)
	}
	return ucifile.Read("", name)
}

// busOptions returns how to reach ubusd.
func busOptions() ubus.Options { return ubus.Options{Socket: os.Getenv(socketEnv)} }

// dialTunnels reaches the bus and the sockets of tunnels.
func dialTunnels(ctx context.Context) tunnels.Client {
	return tunnels.Dial(ctx, busOptions(), localFolder())
}

// localFolder returns the folder of the sockets of sstp up.
func localFolder() string {
	if folder := os.Getenv(folderEnv); folder != "" {
		return folder
	}
	return control.LocalFolder
}

// load reads the options of an interface from a UCI directory.
func load(dir, name string) (*config.Tunnel, []config.Warning, error) {
	values, err := ucifile.Read(dir, name)
	if err != nil {
		return nil, nil, err
	}
	return config.Parse(name, values)
}
