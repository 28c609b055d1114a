package main

import (
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"sstp/src/config"
)

// devLog is where logd listens.
const devLog = "/dev/log"

// How much goes into the log, which on a router is a ring of some 100 KiB for everybody.
const (
	logBurst   = 100             // lines at once
	logRefill  = time.Second / 2 // for one more line
	maxLogLine = 1000            // bytes

	logPatience = 200 * time.Millisecond
)

// severities are syslog's, by level (RFC 5424 section 6.2.1).
var severities = [...]int{config.LogError: 3, config.LogWarn: 4, config.LogInfo: 6, config.LogDebug: 7, config.LogTrace: 7}

// sysLog writes the log of a daemon: to logd, or to out where there is none.
type sysLog struct {
	name  string // of the interface
	level atomic.Int32
	now   func() time.Time
	dial  func() (io.WriteCloser, error)
	out   io.Writer

	mu         sync.Mutex
	conn       io.WriteCloser // nil: none
	tokens     int
	filled     time.Time
	suppressed int
}

func newSysLog(name string, out io.Writer) *sysLog {
	l := &sysLog{
		name: name, now: time.Now, out: out, tokens: logBurst,
		dial: dialLog,
	}
	l.setLevel(config.LogInfo)
	return l
}

func dialLog() (io.WriteCloser, error) {
	conn, err := net.Dial("unixgram", devLog)
	if err != nil {
		return nil, err
	}
	return hurriedConn{conn}, nil
}

// hurriedConn does not wait for a logd that hangs.
type hurriedConn struct{ net.Conn }

func (c hurriedConn) Write(b []byte) (int, error) {
	c.SetWriteDeadline(time.Now().Add(logPatience))
	return c.Conn.Write(b)
}

func (l *sysLog) setLevel(level config.LogLevel) { l.level.Store(int32(level)) }

// logf writes a line if the level lets it through and the log has room for it.
func (l *sysLog) logf(level config.LogLevel, format string, args ...any) {
	if int32(level) > l.level.Load() {
		return
	}
	text := fmt.Sprintf(format, args...)
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	l.refill(now)
	if l.tokens == 0 {
		l.suppressed++
		return
	}
	l.tokens--
	if l.suppressed > 0 {
		l.write(config.LogWarn, now, fmt.Sprintf("suppressed %d lines", l.suppressed))
		l.suppressed = 0
	}
	l.write(level, now, text)
}

func (l *sysLog) refill(now time.Time) {
	more := int(now.Sub(l.filled) / logRefill)
	switch {
	case l.filled.IsZero() || l.tokens+more >= logBurst || more < 0:
		l.tokens, l.filled = logBurst, now
	case more > 0:
		l.tokens += more
		l.filled = l.filled.Add(time.Duration(more) * logRefill)
	}
}

// write sends one line as RFC 3164 has it, with facility daemon.
func (l *sysLog) write(level config.LogLevel, now time.Time, text string) {
	text = printableLine(text)
	const daemon = 3 << 3
	line := fmt.Sprintf("<%d>%s sstp[%d]: %s: %s", daemon|severities[min(int(level), len(severities)-1)],
		now.Format(time.Stamp), os.Getpid(), l.name, text)
	for range 2 { // logd may have been started anew
		if l.conn == nil {
			conn, err := l.dial()
			if err != nil {
				break
			}
			l.conn = conn
		}
		if _, err := io.WriteString(l.conn, line); err == nil {
			return
		}
		l.conn.Close()
		l.conn = nil
	}
	fmt.Fprintf(l.out, "sstp: %s: %s\n", l.name, text)
}

// printableLine makes one line of limited length of whatever it gets: servers have a say in what it says.
func printableLine(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 {
			return ' '
		}
		return r
	}, s)
	if len(s) > maxLogLine {
		s = s[:maxLogLine] + "..."
	}
	return s
}
