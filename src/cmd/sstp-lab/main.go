// Command sstp-lab is an SSTP server for tests, benchmarks and demonstrations. It makes its own certificate, carries
// its clients' packets through a TUN device or answers echoes itself, and misbehaves when told to. It is not meant for
// production.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/signal"
	"sync"
	"syscall"

	"sstp/src/fault"
	"sstp/src/hostnet"
	"sstp/src/lab"
	"sstp/src/transport/trust"
	"sstp/src/tun"
)

func main() {
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGUSR1, syscall.SIGUSR2)
	os.Exit(run(os.Args[1:], signals, os.Stdout, os.Stderr))
}

// run is the whole program; it returns the exit code: 0, 1 for trouble, 2 for a wrong command line.
func run(args []string, signals <-chan os.Signal, stdout, stderr io.Writer) int {
	o, err := parse(args)
	switch {
	case errors.Is(err, errHelp):
		fmt.Fprint(stdout, usage())
		return 0
	case err != nil:
		fmt.Fprintf(stderr, "sstp-lab: %v\nsstp-lab --help lists the options\n", err)
		return 2
	}
	if err := serve(o, signals, stdout); err != nil {
		fmt.Fprintf(stderr, "sstp-lab: %v\n", err)
		if f := (*fault.Error)(nil); errors.As(err, &f) {
			fmt.Fprintf(stderr, "hint: %s\n", f.Hint)
		}
		return 1
	}
	return 0
}

// serve serves until a signal ends it.
func serve(o *options, signals <-chan os.Signal, stdout io.Writer) error {
	say := printer(stdout)
	cfg, err := o.config()
	if err != nil {
		return err
	}
	cfg.OnEvent = func(e lab.Event) { say("%v", e) }
	if o.trace {
		cfg.OnPacket = func(conn int, sent bool, pkt []byte) { say("#%d %s", conn, describe(sent, pkt)) }
	}
	var device *tun.Device
	if o.tun != "" {
		if device, err = tun.Open(tun.Options{Name: o.tun, MTU: o.mtu, Offload: !o.noOffload}); err != nil {
			return err
		}
		defer device.Close()
		cfg.Device = device
	}
	server, err := lab.New(cfg)
	if err != nil {
		return err
	}
	defer server.Close()
	if device != nil {
		if err := address(device.Name(), o.mtu, server); err != nil {
			return err
		}
	}
	if err := o.writeFiles(server.CertificateInUse()); err != nil {
		return err
	}
	listeners, err := listen(o.listen)
	if err != nil {
		return err
	}
	say("listening on %s, certificate %s, %s", names(listeners), trust.Fingerprint(server.CertificateInUse().Leaf), o.carrier())
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var wg sync.WaitGroup
	failed := make(chan error, len(listeners))
	for _, ln := range listeners {
		wg.Go(func() { failed <- server.Serve(ctx, ln) })
	}
	err = obey(server, signals, failed, say)
	cancel()
	wg.Wait()
	st := server.Stats()
	say("ended: %d connections, %d logins, %d calls", st.Accepted, st.Authenticated, st.Bound)
	return err
}

// obey carries out signals until one of them, or a listener that failed, ends the server.
func obey(server *lab.Server, signals <-chan os.Signal, failed <-chan error, say func(string, ...any)) error {
	for {
		select {
		case err := <-failed:
			return err
		case sig := <-signals:
			switch sig {
			case syscall.SIGUSR1:
				say("cut %d connections", server.Cut(""))
			case syscall.SIGUSR2:
				say("silenced %d calls", server.Mute(""))
			case syscall.SIGHUP:
				say("disconnecting %d calls", server.Disconnect(""))
			default:
				return nil
			}
		}
	}
}

// address gives the device the server's addresses.
func address(device string, mtu int, server *lab.Server) error {
	if err := hostnet.DisableAutoLinkLocal(device); err != nil {
		return err
	}
	if err := hostnet.SetUp(device, mtu); err != nil {
		return err
	}
	for _, p := range []netip.Prefix{server.Address4(), server.Address6(), netip.MustParsePrefix("fe80::1/64")} {
		if err := hostnet.AddAddress(device, p, netip.Addr{}); err != nil {
			return fmt.Errorf("address %v: %w", p, err)
		}
	}
	return nil
}

// printer returns a function that prints one line, from any goroutine.
func printer(w io.Writer) func(format string, args ...any) {
	var mu sync.Mutex
	return func(format string, args ...any) {
		mu.Lock()
		defer mu.Unlock()
		fmt.Fprintf(w, format+"\n", args...)
	}
}
