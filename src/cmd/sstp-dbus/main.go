// Command sstp-dbus shows the SSTP tunnels of this machine on the D-Bus system bus: those that ubus knows, on OpenWrt, and
// those that `sstp up` has started, elsewhere. It changes nothing by itself; whoever the bus's policy lets may have a tunnel
// dialed again.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/godbus/dbus/v5"

	"sstp/src/control"
	"sstp/src/ubus"
)

// version is set by the linker.
var version = "development"

const usage = `sstp-dbus: SSTP tunnels on D-Bus

Usage:
  sstp-dbus [--address ADDRESS] [--ubus SOCKET] [--sockets FOLDER]
  sstp-dbus version

  --address ADDRESS   the D-Bus bus to serve, in place of the system bus
  --ubus SOCKET       where ubusd listens
  --sockets FOLDER    where 'sstp up' makes its sockets, ` + control.LocalFolder + ` by default
`

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

func run(args []string, stdout, stderr io.Writer) int {
	if len(args) == 1 && (args[0] == "version" || args[0] == "--version") {
		fmt.Fprintln(stdout, "sstp-dbus", version)
		return 0
	}
	flags := flag.NewFlagSet("sstp-dbus", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.Usage = func() { io.WriteString(stderr, usage) }
	address := flags.String("address", "", "")
	socket := flags.String("ubus", "", "")
	folder := flags.String("sockets", control.LocalFolder, "")
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil || flags.NArg() > 0:
		fmt.Fprintln(stderr, "hint: sstp-dbus --help lists the options")
		return 2
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := serve(ctx, *address, ubus.Options{Socket: *socket}, *folder, stderr); err != nil && ctx.Err() == nil {
		fmt.Fprintln(stderr, "error:", err)
		return 1
	}
	return 0
}

// serve runs until ctx ends or the bus is lost. A supervisor restarts the program then.
func serve(ctx context.Context, address string, o ubus.Options, folder string, stderr io.Writer) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	conn, err := connect(ctx, address)
	if err != nil {
		return fmt.Errorf("D-Bus cannot be reached: %w", err)
	}
	defer conn.Close()
	context.AfterFunc(conn.Context(), func() { cancel(errors.New("the connection to D-Bus is lost")) })
	b := newBridge(conn, func(line string) { fmt.Fprintln(stderr, line) })
	if err := b.export(); err != nil {
		return err
	}
	return b.run(ctx, newUbusSource(o), newLocalSource(folder))
}

func connect(ctx context.Context, address string) (*dbus.Conn, error) {
	if address == "" {
		return dbus.ConnectSystemBus(dbus.WithContext(ctx))
	}
	return dbus.Connect(address, dbus.WithContext(ctx))
}
