package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"sstp/src/blobmsg"
	"sstp/src/config"
	"sstp/src/control"
	"sstp/src/fault"
	"sstp/src/firewall"
	"sstp/src/hostnet"
	"sstp/src/killswitch"
	"sstp/src/logs"
	"sstp/src/machine"
	"sstp/src/netifd"
	"sstp/src/session"
	"sstp/src/transport"
	"sstp/src/ubus"
	"sstp/src/uci"
	"sstp/src/ucifile"
)

// exitGaveUp is the daemon's exit code when options authfail or maxfail made it give up, or the interface's name can't be.
const exitGaveUp = 3

// Limits of the daemon's beginning and end.
const (
	readLimit   = 10 * time.Second // for the options
	reportLimit = 4 * time.Second  // for telling netifd of a failure that ends the daemon
	hastePause  = 5 * time.Second  // before an end that netifd would follow by a new start at once
)

// daemon runs one tunnel under netifd.
func daemon(args []string, stderr *os.File) int {
	if len(args) != 1 || args[0] == "" || strings.ContainsAny(args[0], "/\x00") || strings.HasPrefix(args[0], "-") {
		fmt.Fprintf(stderr, "error: daemon takes the name of one interface\nhint: netifd starts it; by hand, ifup NAME does\n")
		if os.Getenv(parentEnv) != "" {
			return exitGaveUp // netifd would try again at once, for ever
		}
		return exitUsage
	}
	d := &daemonRun{name: args[0], log: logs.NewSyslog(args[0], stderr), ubus: busOptions(), platform: router()}
	defer d.log.Flush(logs.FlushLimit)
	if !followParent() {
		d.log.Logf(config.LogInfo, "netifd, which started this, has ended")
		return exitOK
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	d.hangups = make(chan os.Signal, 1)
	signal.Notify(d.hangups, syscall.SIGHUP)

	held, err := takeLock(ctx, runDir, d.name, d.log.Logf)
	if err != nil {
		if ctx.Err() != nil {
			return exitOK
		}
		d.log.Logf(config.LogError, "%v", err)
		d.pause(ctx)
		return exitFailed
	}
	defer held.release()
	return d.run(ctx)
}

// daemonRun is one run of the daemon.
type daemonRun struct {
	name     string
	log      *logs.Syslog
	hangups  chan os.Signal
	ubus     ubus.Options
	platform platform
	bus      *ubus.Client
	iface    *netifd.Interface                // for what can be said before the options are known
	watched  atomic.Pointer[netifd.Interface] // the tunnel's
	running  sync.WaitGroup
}

// platform is what a daemon touches besides the bus.
type platform struct {
	device   func(t *config.Tunnel, logf session.Logf) func(name string, mtu int) (session.Device, error)
	dial     func(o *transport.Options) // changes how servers are reached
	kernel   netifd.Kernel
	carrier  func(device string) bool
	ways     func(tunnel string) machine.WayTable
	around   func(t *config.Tunnel) func(context.Context) (session.Surroundings, error)
	firewall firewall.System
	watch    func(ctx context.Context, w machine.Watched) // follows the kernel's news until ctx ends
}

// router returns the real one.
func router() platform {
	return platform{
		device: machine.NetifdDevice, dial: func(*transport.Options) {}, kernel: machine.Kernel{}, carrier: hostnet.HasCarrier, watch: machine.WatchKernel, firewall: firewall.Router(),
		ways: func(tunnel string) machine.WayTable { return hostnet.NewWays(tunnel) }, around: machine.Surroundings,
	}
}

// run connects to the bus, reads the options and keeps the tunnel up until ctx ends.
func (d *daemonRun) run(ctx context.Context) int {
	o := d.ubus
	o.Connected = func() {
		if iface := d.watched.Load(); iface != nil {
			iface.Recheck() // news may have been missed
		}
	}
	o.Lost = func(err error) { d.log.Logf(config.LogWarn, "%v", err) }
	o.Log = func(line string) { d.log.Logf(config.LogDebug, "ubus: %s", line) }
	d.bus = ubus.New(o)
	background, end := context.WithCancel(context.Background()) // ends after the tunnel, which still has to speak
	defer d.running.Wait()
	defer end()
	d.iface = netifd.New(d.bus, d.name, netifd.Options{Log: d.log.Logf})
	d.running.Go(func() { d.bus.Run(background) })

	limited, cancel := context.WithTimeout(ctx, readLimit)
	values, err := options(limited, d.bus, d.name)
	cancel()
	var t *config.Tunnel
	var warnings []config.Warning
	if err == nil {
		t, warnings, err = config.Parse(d.name, values)
	}
	if err != nil {
		d.waitForOptions(ctx, fault.Of(err, fault.InvalidOptions, fault.StageConfig))
		return exitOK
	}
	d.log.SetLevel(t.LogLevel)
	for _, w := range warnings {
		d.log.Logf(config.LogWarn, "option %s: %s", w.Option, w.Text)
	}
	if d.tunnel(ctx, background, t, warnings, machine.ChildFields(values)) != nil {
		d.giveUp(ctx)
		return exitGaveUp
	}
	return exitOK
}

// waitForOptions shows what is wrong with the options, and waits until netifd ends this process because they have changed. If
// the process ended by itself, netifd would start it again at once, or never, whether or not the options change.
func (d *daemonRun) waitForOptions(ctx context.Context, f *fault.Error) {
	d.log.Logf(config.LogError, "%s: %s %s", f.Code, f.Message, f.Hint)
	report, cancel := context.WithTimeout(ctx, reportLimit)
	d.iface.Failed(report, f)
	cancel()
	control.Publish(d.bus, d.name, misconfigured{d.name, f, time.Now()})
	watching, end := context.WithCancel(ctx)
	defer end()
	d.iface = netifd.New(d.bus, d.name, netifd.Options{Unwanted: end})
	d.watched.Store(d.iface)
	ignore := func(string) {}
	d.running.Go(func() { d.iface.Watch(watching, ignore, ignore) })
	<-watching.Done()
}

// giveUp makes netifd leave the interface down. The tunnel has reported why.
func (d *daemonRun) giveUp(ctx context.Context) {
	report, cancel := context.WithTimeout(ctx, reportLimit)
	defer cancel()
	d.log.Logf(config.LogError, "giving up; ifup %s starts it again", d.name)
	if err := d.iface.BlockRestart(report); err != nil {
		d.log.Logf(config.LogError, "%v", err)
		d.pause(ctx)
	}
}

// pause keeps netifd, which restarts a program at once, from doing so ten times a second.
func (d *daemonRun) pause(ctx context.Context) {
	select {
	case <-ctx.Done():
	case <-time.After(hastePause):
	}
}

// tunnel runs the session with everything around it. background outlives ctx.
func (d *daemonRun) tunnel(ctx, background context.Context, t *config.Tunnel, warnings []config.Warning, child blobmsg.Fields) error {
	ctx, forgotten := context.WithCancel(ctx)
	defer forgotten()
	ways := machine.NewWays(d.platform.ways(d.name))
	ways.Clear(d.log.Logf) // what a killed process may have left
	defer ways.Clear(d.log.Logf)
	var s *session.Session
	iface := netifd.New(d.bus, d.name, netifd.Options{
		Unwanted: func() {
			d.log.Logf(config.LogWarn, "netifd has the interface down and did not end this; stopping")
			forgotten()
		},
		Device: t.Device(), Tunlink: t.Tunlink, IPv6: t.IPv6 != config.Off, Child: child, Log: d.log.Logf, Kernel: d.platform.kernel, LayWay: ways.Lay, Carrier: d.platform.carrier,
		Changed: func() { s.Recheck("netifd has news") },
		Zone:    func(iface string) string { return ucifile.Zone(ucifile.DefaultDir, iface) },
	})
	d.watched.Store(iface)
	events := control.NewEvents(d.bus, d.name)
	var last session.State
	names := machine.NewNames(func() bool { return iface.IsUp() && s.Status().State == session.Holding },
		machine.UplinkLookup(firewall.NameServers(d.bus, iface), killswitch.Mark, d.log.Logf, machine.SystemLookup), d.log.Logf)
	s = session.New(session.Config{
		Tunnel: t, Warnings: warnings, Dial: machine.NetifdDialer(t, iface, ways, names, d.platform.dial), Host: machine.NetifdHost{Interface: iface, Ways: ways, Log: d.log.Logf}, InnerTLS: machine.InnerTLS(t), Surroundings: d.platform.around(t),
		OpenDevice: d.platform.device(t, d.log.Logf), Random: rand.Reader, Log: d.log.Logf,
		Changed: func(st session.Status, text string) {
			d.log.Logf(stateLevel(st.State), "%s: %s", st.State, text)
			if st.State != last {
				last = st.State
				events.State(string(st.State), codeOf(st))
			}
		},
	})
	closed := &firewall.Watch{Switch: firewall.Switch{UCI: uci.Store{Bus: d.bus}, Firewall: d.platform.firewall}, Tunnel: d.name, Log: d.log.Logf,
		Changed: func() { s.Recheck("the firewall has changed") }}
	control.Publish(d.bus, d.name, tunnel{s, iface.Uplink, d.log, closed})
	defer control.Withdraw(d.bus, d.name)
	watching, end := context.WithCancel(ctx)
	defer end()
	var helpers sync.WaitGroup
	defer helpers.Wait()
	defer end()
	helpers.Go(func() { closed.Run(watching) })
	helpers.Go(func() { iface.Watch(watching, s.UplinkLost, s.UplinkFound) })
	helpers.Go(func() {
		d.platform.watch(watching, machine.Watched{Interface: iface, Device: t.Device(), Session: s, Log: d.log.Logf})
	})
	helpers.Go(func() {
		for {
			select {
			case <-d.hangups:
				s.Reconnect("SIGHUP")
			case <-watching.Done():
				return
			}
		}
	})
	d.running.Go(func() { events.Run(background) })
	defer iface.MendRoutes(background) // the device's end has taken the tunnel's default route along
	return s.Run(ctx)
}

// stateLevel returns the level at which a state is logged: the steps of each call do not belong in a quiet log.
func stateLevel(s session.State) config.LogLevel {
	switch s {
	case session.Up, session.Waiting, session.Holding, session.Stopping:
		return config.LogInfo
	}
	return config.LogDebug
}

// codeOf returns the failure that caused the state, "" if none did.
func codeOf(st session.Status) string {
	switch st.State {
	case session.Waiting, session.Holding:
		if st.LastError != nil {
			return string(st.LastError.Code)
		}
	}
	return ""
}
