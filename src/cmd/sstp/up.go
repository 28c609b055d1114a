package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"sstp/src/config"
	"sstp/src/session"
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
		dir = defaultConfigDir
	}
	t, warnings, err := load(dir, a.operands[0])
	if err != nil {
		complain(stderr, err)
		return exitUsage
	}
	log := newLineLog(stdout, t.LogLevel)
	defer log.flush(flushLimit)
	for _, w := range warnings {
		log.logf(config.LogWarn, "option %s: %s", w.Option, w.Text)
	}
	network := &hostNetwork{tunnel: t, logf: log.logf}
	uplink := newHostUplink(t)
	uplink.ways.clear(log.logf) // what a killed process may have left
	defer uplink.ways.clear(log.logf)
	network.renew = func() { uplink.ways.renew(log.logf) }
	offered := offerLocally(localFolder(), t.Name, log)
	defer offered.close()
	var s *session.Session
	names := newNames(func() bool { return s.Status().State == session.Holding },
		uplinkLookup(uplink.nameServers, 0, log.logf, systemLookup), log.logf)
	s = session.New(session.Config{
		Tunnel: t, Warnings: warnings, Dial: uplink.dialer(names), Host: network, Surroundings: surroundings(t), InnerTLS: innerTLS(t),
		OpenDevice: openDevice(t), Random: rand.Reader, Log: log.logf,
		Changed: func(st session.Status, text string) {
			log.state(st, text)
			offered.state(st)
		},
	})
	offered.show(s, log)
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	watching, end := context.WithCancel(ctx)
	defer end()
	go func() {
		if err := watchTraffic(watching, t.Device(), s.Recheck); err != nil {
			log.logf(config.LogDebug, "%v", err)
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
	log.line("stopped", summary(s.Status()))
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

// lineLog writes the log of a tunnel that runs in the foreground: a line for each state, and what the log level lets
// through. It loses lines rather than wait for a pipe that nobody empties.
type lineLog struct {
	lineQueue
	w     io.Writer
	level atomic.Int32
}

func newLineLog(w io.Writer, level config.LogLevel) *lineLog {
	l := &lineLog{w: w}
	l.lineQueue.write = l.write
	l.setLevel(level)
	return l
}

var levelNames = [...]string{"error", "warning", "info", "debug", "trace"}

func (l *lineLog) logf(level config.LogLevel, format string, args ...any) {
	if int32(level) > l.level.Load() {
		return
	}
	l.line(levelNames[min(int(level), len(levelNames)-1)], fmt.Sprintf(format, args...))
}

func (l *lineLog) setLevel(level config.LogLevel) { l.level.Store(int32(level)) }

func (l *lineLog) state(st session.Status, text string) { l.line(string(st.State), text) }

func (l *lineLog) line(what, text string) {
	l.add(logLine{at: time.Now(), what: what, text: strings.ReplaceAll(text, "\n", " ")})
}

func (l *lineLog) write(line logLine) {
	fmt.Fprintf(l.w, "%s %-10s %s\n", line.at.Format("15:04:05.000"), line.what, line.text)
}
