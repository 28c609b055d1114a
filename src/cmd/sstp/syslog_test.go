package main

import (
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"sstp/src/config"
)

// testLog is a log with a clock of its own, that goes to logd unless broken.
type testLog struct {
	*sysLog
	now    time.Time
	sent   []string // to logd
	broken bool
	out    lockedBuffer
}

func (l *testLog) Write(b []byte) (int, error) {
	if l.broken {
		return 0, io.ErrClosedPipe
	}
	l.sent = append(l.sent, string(b))
	return len(b), nil
}

func (l *testLog) Close() error { return nil }

func newTestLog(level config.LogLevel) *testLog {
	l := &testLog{now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
	l.sysLog = newSysLog("vpn", &l.out)
	l.sysLog.now = func() time.Time { return l.now }
	l.sysLog.dial = func() (io.WriteCloser, error) {
		if l.broken {
			return nil, os.ErrNotExist
		}
		return l, nil
	}
	l.setLevel(level)
	return l
}

func TestALineIsADatagramOfRFC3164(t *testing.T) {
	l := newTestLog(config.LogTrace)
	for level := config.LogError; level <= config.LogTrace; level++ {
		l.logf(level, "number %d", level)
	}
	form := regexp.MustCompile(`^<(\d+)>Jan  2 03:04:05 sstp\[\d+\]: vpn: number \d$`)
	var priorities []string
	for _, line := range l.sent {
		m := form.FindStringSubmatch(line)
		if m == nil {
			t.Fatalf("%q", line)
		}
		priorities = append(priorities, m[1])
	}
	// Facility daemon, severities error, warning, info, debug, debug.
	if want := []string{"27", "28", "30", "31", "31"}; !slices.Equal(priorities, want) {
		t.Errorf("priorities %v, want %v", priorities, want)
	}
}

func TestTheLevelIsRespectedAndMayChange(t *testing.T) {
	l := newTestLog(config.LogWarn)
	l.logf(config.LogInfo, "not this")
	l.logf(config.LogWarn, "this")
	l.setLevel(config.LogDebug)
	l.logf(config.LogDebug, "and this")
	if len(l.sent) != 2 {
		t.Errorf("sent %q", l.sent)
	}
}

func TestAFloodIsHeldBackAndCounted(t *testing.T) {
	l := newTestLog(config.LogInfo)
	for range logBurst + 50 {
		l.logf(config.LogInfo, "again")
	}
	if len(l.sent) != logBurst {
		t.Errorf("%d lines at once, want %d", len(l.sent), logBurst)
	}
	l.now = l.now.Add(logRefill)
	l.logf(config.LogInfo, "later")
	rest := l.sent[logBurst:]
	if len(rest) != 2 || !strings.Contains(rest[0], "suppressed 50 lines") || !strings.HasSuffix(rest[1], "later") {
		t.Errorf("then %q", rest)
	}
	l.now = l.now.Add(time.Hour)
	for range logBurst + 1 {
		l.logf(config.LogInfo, "again")
	}
	if n := len(l.sent) - logBurst - 2; n != logBurst {
		t.Errorf("after an hour %d lines, want %d", n, logBurst)
	}
	l.now = l.now.Add(-24 * time.Hour) // the clock is set by NTP
	l.logf(config.LogInfo, "once more")
	if !strings.HasSuffix(l.sent[len(l.sent)-1], "once more") {
		t.Error("a clock that is set back silences the log")
	}
}

func TestWithoutLogdALineGoesToNetifd(t *testing.T) {
	l := newTestLog(config.LogInfo)
	l.logf(config.LogInfo, "one")
	l.broken = true // logd has ended
	l.logf(config.LogInfo, "two")
	l.broken = false
	l.logf(config.LogInfo, "three")
	if l.out.String() != "sstp: vpn: two\n" || len(l.sent) != 2 {
		t.Errorf("sent %q, and %q", l.sent, l.out.String())
	}
}

func TestALineIsOneLineWhateverAServerSays(t *testing.T) {
	l := newTestLog(config.LogInfo)
	l.logf(config.LogInfo, "the server says: %s", "a\nb\x1b[2Jc\u009b"+strings.Repeat("x", 5000))
	if got := l.sent[0]; strings.ContainsAny(got, "\n\x1b\u009b") || len(got) > maxLogLine+100 {
		t.Errorf("%d bytes: %q", len(got), got)
	}
}

func TestALogdThatHangsIsNotWaitedFor(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	logd, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer logd.Close()
	raw, err := net.Dial("unixgram", path)
	if err != nil {
		t.Fatal(err)
	}
	conn := hurriedConn{raw}
	defer conn.Close()
	for begin := time.Now(); ; { // until its queue is full
		if _, err := conn.Write([]byte("x")); errors.Is(err, os.ErrDeadlineExceeded) {
			return
		} else if err != nil || time.Since(begin) > 10*time.Second {
			t.Fatalf("no end to it: %v", err)
		}
	}
}
