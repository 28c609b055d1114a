package logs

import (
	"bytes"
	"io"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"sstp/src/config"
)

// testLog is a log with a clock of its own, that goes to logd unless broken.
type testLog struct {
	*Syslog
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

// logf also waits until the line is where it goes.
func (l *testLog) Logf(level config.LogLevel, format string, args ...any) {
	l.Syslog.Logf(level, format, args...)
	l.Flush(time.Minute)
}

func newTestLog(level config.LogLevel) *testLog {
	l := &testLog{now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
	l.Syslog = NewSyslog("vpn", &l.out)
	l.Syslog.now = func() time.Time { return l.now }
	l.Syslog.Dial = func() (io.WriteCloser, error) {
		if l.broken {
			return nil, os.ErrNotExist
		}
		return l, nil
	}
	l.SetLevel(level)
	return l
}

func TestALineIsADatagramOfRFC3164(t *testing.T) {
	l := newTestLog(config.LogTrace)
	for level := config.LogError; level <= config.LogTrace; level++ {
		l.Logf(level, "number %d", level)
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
	l.Logf(config.LogInfo, "not this")
	l.Logf(config.LogWarn, "this")
	l.SetLevel(config.LogDebug)
	l.Logf(config.LogDebug, "and this")
	if len(l.sent) != 2 {
		t.Errorf("sent %q", l.sent)
	}
}

func TestAFloodIsHeldBackAndCounted(t *testing.T) {
	l := newTestLog(config.LogInfo)
	for range logBurst + 50 {
		l.Logf(config.LogInfo, "again")
	}
	if len(l.sent) != logBurst {
		t.Errorf("%d lines at once, want %d", len(l.sent), logBurst)
	}
	l.now = l.now.Add(logRefill)
	l.Logf(config.LogInfo, "later")
	rest := l.sent[logBurst:]
	if len(rest) != 2 || !strings.Contains(rest[0], "suppressed 50 lines") || !strings.HasSuffix(rest[1], "later") {
		t.Errorf("then %q", rest)
	}
	l.now = l.now.Add(time.Hour)
	for range logBurst + 1 {
		l.Logf(config.LogInfo, "again")
	}
	if n := len(l.sent) - logBurst - 2; n != logBurst {
		t.Errorf("after an hour %d lines, want %d", n, logBurst)
	}
	l.now = l.now.Add(-24 * time.Hour) // the clock is set by NTP
	l.Logf(config.LogInfo, "once more")
	if !strings.HasSuffix(l.sent[len(l.sent)-1], "once more") {
		t.Error("a clock that is set back silences the log")
	}
}

func TestWithoutLogdALineGoesToNetifd(t *testing.T) {
	l := newTestLog(config.LogInfo)
	l.Logf(config.LogInfo, "one")
	l.broken = true // logd has ended
	l.Logf(config.LogInfo, "two")
	l.broken = false
	l.Logf(config.LogInfo, "three")
	if l.out.String() != "sstp: vpn: two\n" || len(l.sent) != 2 {
		t.Errorf("sent %q, and %q", l.sent, l.out.String())
	}
}

func TestALineIsOneLineWhateverAServerSays(t *testing.T) {
	l := newTestLog(config.LogInfo)
	l.Logf(config.LogInfo, "the server says: %s", "a\nb\x1b[2Jc\u009b"+strings.Repeat("x", 5000))
	if got := l.sent[0]; strings.ContainsAny(got, "\n\x1b\u009b") || len(got) > MaxLine+100 {
		t.Errorf("%d bytes: %q", len(got), got)
	}
}

func TestALogdThatStopsReadingStopsNobody(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	logd, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer logd.Close()
	var out lockedBuffer
	l := NewSyslog("vpn", &out)
	now := time.Now()
	l.now = func() time.Time {
		now = now.Add(logRefill) // the rate never holds a line back
		return now
	}
	l.Dial = func() (io.WriteCloser, error) { return dialUnixgram(path) }
	const lines = 3 * maxQueuedLines
	begun := time.Now()
	for i := range lines {
		l.Logf(config.LogInfo, "line %d", i)
	}
	if took := time.Since(begun); took > time.Second {
		t.Errorf("%d lines took %v while nobody read them", lines, took)
	}
	if l.Flush(10 * time.Millisecond) {
		t.Fatal("all lines have gone to a logd that reads none")
	}

	// logd goes on: what was queued comes in order, and one line says what is missing.
	form, lost := regexp.MustCompile(`: vpn: (?:line (\d+)|(\d+) lines lost)`), regexp.MustCompile(`lines lost`)
	next, read, missing := 0, 0, 0
	logd.SetReadDeadline(time.Now().Add(10 * time.Second))
	for b := make([]byte, 2000); missing == 0; {
		n, err := logd.Read(b)
		if err != nil {
			t.Fatalf("%v after %d lines", err, read)
		}
		m := form.FindStringSubmatch(string(b[:n]))
		if m == nil {
			t.Fatalf("%q", b[:n])
		}
		if lost.Match(b[:n]) {
			missing, _ = strconv.Atoi(m[2])
		} else if got, _ := strconv.Atoi(m[1]); got != next {
			t.Fatalf("line %d came, want %d", got, next)
		} else {
			next, read = next+1, read+1
		}
	}
	if read+missing != lines || read < maxQueuedLines {
		t.Errorf("%d lines came and %d are said to be lost, of %d", read, missing, lines)
	}
	l.Logf(config.LogInfo, "line %d", next)
	if !l.Flush(10 * time.Second) {
		t.Error("the log does not go on")
	}
	if out.String() != "" {
		t.Errorf("netifd, which would hand it to logd, got %q", out.String())
	}
}

func TestALogThatIsStartedAnewGetsWhatTheStuckOneDidNotTake(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	listen := func(path string) *net.UnixConn {
		t.Helper()
		logd, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { logd.Close() })
		return logd
	}
	listen(path) // and never reads
	l := NewSyslog("vpn", io.Discard)
	l.Dial = func() (io.WriteCloser, error) { return dialUnixgram(path) }
	for range maxQueuedLines - 1 {
		l.Logf(config.LogInfo, "early")
	}
	l.Logf(config.LogInfo, "last")
	logd := listen(path + ".next")
	if err := os.Rename(path+".next", path); err != nil { // at no moment is there no log
		t.Fatal(err)
	}
	logd.SetReadDeadline(time.Now().Add(10 * time.Second))
	for b := make([]byte, 2000); ; {
		n, err := logd.Read(b)
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(string(b[:n]), "last") {
			return
		}
	}
}

func TestAPipeThatNobodyReadsStopsNobody(t *testing.T) {
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	defer writer.Close()
	long := strings.Repeat("x", 900)
	for name, log := range map[string]interface {
		Logf(config.LogLevel, string, ...any)
		Flush(time.Duration) bool
	}{
		"netifd's pipe": func() *Syslog {
			l := NewSyslog("vpn", writer)
			now := time.Now()
			l.now = func() time.Time { now = now.Add(logRefill); return now }
			l.Dial = func() (io.WriteCloser, error) { return nil, os.ErrNotExist }
			return l
		}(),
		"the output of sstp up": NewTerminal(writer, config.LogInfo),
	} {
		begun := time.Now()
		for range 3000 { // a pipe holds 64 KiB
			log.Logf(config.LogInfo, "%s", long)
		}
		if took := time.Since(begun); took > 5*time.Second {
			t.Errorf("%s: %v", name, took)
		}
		if log.Flush(time.Millisecond) {
			t.Errorf("%s took all of it", name)
		}
	}
}

// lockedBuffer is a buffer for several goroutines.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}
