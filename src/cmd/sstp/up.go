package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"syscall"

	"sstp/src/config"
	"sstp/src/logs"
	"sstp/src/machine"
	"sstp/src/session"
	"sstp/src/ucifile"
)

// up runs one tunnel in the foreground, without netifd.
func up(args []string, stdout, stderr *os.File) int {
	a, err := parseArgs(args, "--config")
	if err == nil && len(a.operands) != 1 {
		err = fmt.Errorf("up takes the name of one interface")
	}
	if err == nil && len(a.settings) > 0 {
		err = fmt.Errorf("up takes its options from the configuration, not from -o")
	}
	if err != nil {
		fmt.Fprintf(stderr, "error: %v\nhint: sstp up NAME --config DIR\n", err)
		return exitUsage
	}
	dir := a.values["--config"]
	if dir == "" {
		dir = ucifile.DefaultDir
	}
	t, warnings, err := load(dir, a.operands[0])
	if err != nil {
		complain(stderr, err)
		return exitUsage
	}
	log := logs.NewTerminal(stdout, t.LogLevel)
	defer log.Flush(logs.FlushLimit)
	for _, w := range warnings {
		log.Logf(config.LogWarn, "option %s: %s", w.Option, w.Text)
	}
	uplink := machine.NewUplink(t)
	uplink.Ways.Clear(log.Logf) // what a killed process may have left
	defer uplink.Ways.Clear(log.Logf)
	network := machine.NewNetwork(t, log.Logf, func() { uplink.Ways.Renew(log.Logf) })
	offered := offerLocally(localFolder(), t.Name, log)
	defer offered.close()
	var s *session.Session
	names := machine.NewNames(func() bool { return s.Status().State == session.Holding },
		machine.UplinkLookup(uplink.NameServers, 0, log.Logf, machine.SystemLookup), log.Logf)
	s = session.New(session.Config{
		Tunnel: t, Warnings: warnings, Dial: uplink.Dialer(names), Host: network, Surroundings: machine.Surroundings(t), InnerTLS: machine.InnerTLS(t),
		OpenDevice: machine.OpenDevice(t), Random: rand.Reader, Log: log.Logf,
		Changed: func(st session.Status, text string) {
			log.Line(string(st.State), text)
			offered.state(st)
		},
	})
	offered.show(s, log)
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	watching, end := context.WithCancel(ctx)
	defer end()
	go func() {
		if err := machine.WatchTraffic(watching, t.Device(), s); err != nil {
			log.Logf(config.LogDebug, "%v", err)
		}
	}()
	hangups := make(chan os.Signal, 1)
	signal.Notify(hangups, syscall.SIGHUP)
	go func() {
		for range hangups {
			s.Reconnect("SIGHUP")
		}
	}()
	err = s.Run(ctx)
	if err != nil {
		complain(stderr, err)
		return exitFailed
	}
	log.Line("stopped", summary(s.Status()))
	return exitOK
}

func summary(st session.Status) string {
	c := st.Counters
	text := fmt.Sprintf("received %s, sent %s", bytesText(c.RxBytes), bytesText(c.TxBytes))
	switch st.Reconnects {
	case 0:
		return text
	case 1:
		return text + ", dialed again once"
	}
	return text + ", dialed again " + strconv.Itoa(st.Reconnects) + " times"
}

// bytesText writes a number of bytes for people.
func bytesText(n uint64) string {
	units := []string{"B", "KB", "MB", "GB", "TB"}
	f, i := float64(n), 0
	for f >= 1000 && i < len(units)-1 {
		f /= 1000
		i++
	}
	if i == 0 {
		return fmt.Sprintf("%d B", n)
	}
	return fmt.Sprintf("%.1f %s", f, units[i])
}
