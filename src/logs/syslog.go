// Package logs writes the log of a tunnel: to syslog for a daemon, or to a terminal. Neither makes the tunnel wait for a
// reader that hangs.
package logs

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"sstp/src/config"
	"sstp/src/text"
)

// devLog is where logd listens.
const devLog = "/dev/log"

// How much goes into the log, which on a router is a ring of some 100 KiB for everybody.
const (
	logBurst  = 100             // lines at once
	logRefill = time.Second / 2 // for one more line
	MaxLine   = 1000            // characters of one line

	logPatience = time.Second // before a logd that takes no line is dialed again, because it may have been restarted
)

// severities are syslog's, by level (RFC 5424 section 6.2.1).
var severities = [...]int{config.LogError: 3, config.LogWarn: 4, config.LogInfo: 6, config.LogDebug: 7, config.LogTrace: 7}

// Syslog writes the log of a daemon: to logd, or to out where there is none. It loses lines rather than wait for either.
type Syslog struct {
	name  string // of the interface
	level atomic.Int32
	now   func() time.Time
	Dial  func() (io.WriteCloser, error) // reaches logd; set it before the first line
	out   io.Writer
	lineQueue
	conn io.WriteCloser // nil: none; only the queue's goroutine uses it

	rate       sync.Mutex // guards what follows
	tokens     int
	filled     time.Time
	suppressed int
}

// NewSyslog returns the log of an interface, at level info. out gets the lines that logd does not take.
func NewSyslog(name string, out io.Writer) *Syslog {
	l := &Syslog{
		name: name, now: time.Now, out: out, tokens: logBurst,
		Dial: func() (io.WriteCloser, error) { return dialUnixgram(devLog) },
	}
	l.lineQueue.write = l.write
	l.SetLevel(config.LogInfo)
	return l
}

func dialUnixgram(path string) (io.WriteCloser, error) {
	conn, err := net.Dial("unixgram", path)
	if err != nil {
		return nil, err
	}
	return hurriedConn{conn}, nil
}

// hurriedConn does not wait for ever for a logd that hangs.
type hurriedConn struct{ net.Conn }

func (c hurriedConn) Write(b []byte) (int, error) {
	c.SetWriteDeadline(time.Now().Add(logPatience))
	return c.Conn.Write(b)
}

// SetLevel changes the level.
func (l *Syslog) SetLevel(level config.LogLevel) { l.level.Store(int32(level)) }

// Logf queues a line if the level lets it through and the log has room for it. It never blocks.
func (l *Syslog) Logf(level config.LogLevel, format string, args ...any) {
	if int32(level) > l.level.Load() {
		return
	}
	line := text.Show(fmt.Sprintf(format, args...), MaxLine)
	l.rate.Lock()
	defer l.rate.Unlock()
	now := l.now()
	l.refill(now)
	if l.tokens == 0 {
		l.suppressed++
		return
	}
	l.tokens--
	if l.suppressed > 0 {
		l.add(logLine{at: now, level: config.LogWarn, text: fmt.Sprintf("suppressed %d lines", l.suppressed)})
		l.suppressed = 0
	}
	l.add(logLine{at: now, level: level, text: line})
}

func (l *Syslog) refill(now time.Time) {
	more := int(now.Sub(l.filled) / logRefill)
	switch {
	case l.filled.IsZero() || l.tokens+more >= logBurst || more < 0:
		l.tokens, l.filled = logBurst, now
	case more > 0:
		l.tokens += more
		l.filled = l.filled.Add(time.Duration(more) * logRefill)
	}
}

// write sends one line as RFC 3164 has it, with facility daemon. It waits as long as logd takes no line.
func (l *Syslog) write(line logLine) {
	const daemon = 3 << 3
	datagram := fmt.Sprintf("<%d>%s sstp[%d]: %s: %s", daemon|severities[min(int(line.level), len(severities)-1)],
		line.at.Format(time.Stamp), os.Getpid(), l.name, line.text)
	for failed := 0; failed < 2; { // logd may have been restarted
		if l.conn == nil {
			conn, err := l.Dial()
			if err != nil {
				break
			}
			l.conn = conn
		}
		_, err := io.WriteString(l.conn, datagram)
		if err == nil {
			return
		}
		l.conn.Close()
		l.conn = nil
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			failed++
		}
	}
	fmt.Fprintf(l.out, "sstp: %s: %s\n", l.name, line.text)
}
