package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"sstp/src/config"
)

// The test binary is a daemon too, to have processes to take over from: one that ends when it is asked to, or one that does
// not.
func TestMain(m *testing.M) {
	if dir := os.Getenv("SSTP_TEST_LOCK"); dir != "" && len(os.Args) == 3 && os.Args[1] == "daemon" {
		holdLock(dir, os.Args[2])
		return
	}
	os.Exit(m.Run())
}

func holdLock(dir, name string) {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM)
	l, err := takeLock(context.Background(), dir, name, func(config.LogLevel, string, ...any) {})
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println("held")
	for range signals {
		if os.Getenv("SSTP_TEST_STUBBORN") == "" {
			l.release()
			os.Exit(0)
		}
	}
}

// holder starts a process that holds the lock.
func holder(t *testing.T, dir, name string, env ...string) *exec.Cmd {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe)
	cmd.Args = []string{"/usr/sbin/sstp", "daemon", name}
	cmd.Env = append(os.Environ(), append(env, "SSTP_TEST_LOCK="+dir)...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	var b [64]byte
	if n, err := out.Read(b[:]); !strings.HasPrefix(string(b[:n]), "held") {
		t.Fatalf("the holder said %q, %v", b[:n], err)
	}
	return cmd
}

// lines collects a log.
type lines struct {
	mu   sync.Mutex
	text []string
}

func (l *lines) logf(_ config.LogLevel, format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text = append(l.text, fmt.Sprintf(format, args...))
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Join(l.text, "\n")
}

func TestANewcomerTakesOverFromADaemonThatEndsInOrder(t *testing.T) {
	dir, log := t.TempDir(), &lines{}
	old := holder(t, dir, "vpn")
	l, err := takeLock(t.Context(), dir, "vpn", log.logf)
	if err != nil {
		t.Fatal(err)
	}
	if err := old.Wait(); err != nil {
		t.Errorf("the old one ended with %v, want an orderly end", err)
	}
	if pid, deaths, _ := l.read(); pid != os.Getpid() || deaths != 0 {
		t.Errorf("the lock says %d %d", pid, deaths)
	}
	if !strings.Contains(log.String(), "taking over from process "+strconv.Itoa(old.Process.Pid)) {
		t.Errorf("log: %s", log)
	}
	l.release()
	if text, err := os.ReadFile(filepath.Join(dir, "vpn.lock")); err != nil || len(text) > 0 {
		t.Errorf("after an orderly end the lock says %q, %v", text, err)
	}
}

func TestADaemonThatDoesNotEndIsKilled(t *testing.T) {
	if testing.Short() {
		t.Skip("takes four seconds")
	}
	dir, log := t.TempDir(), &lines{}
	old := holder(t, dir, "vpn", "SSTP_TEST_STUBBORN=1")
	begin := time.Now()
	l, err := takeLock(t.Context(), dir, "vpn", log.logf)
	if err != nil {
		t.Fatal(err)
	}
	took := time.Since(begin)
	defer l.release()
	old.Wait()
	if took < polite || took > polite+impolite || !strings.Contains(log.String(), "killed") {
		t.Errorf("taken after %v; log: %s", took, log)
	}
}

func TestEachInterfaceHasALockOfItsOwn(t *testing.T) {
	dir := t.TempDir()
	old := holder(t, dir, "vpn")
	l, err := takeLock(t.Context(), dir, "vpn2", (&lines{}).logf)
	if err != nil {
		t.Fatal(err)
	}
	defer l.release()
	if isDaemon(old.Process.Pid, "vpn2") || !isDaemon(old.Process.Pid, "vpn") {
		t.Error("the process of one interface passes for that of another")
	}
}

func TestNobodyElseIsEnded(t *testing.T) {
	stranger := exec.Command("sleep", "100")
	if err := stranger.Start(); err != nil {
		t.Skip("no sleep here")
	}
	defer stranger.Wait()
	defer stranger.Process.Kill()
	for _, pid := range []int{stranger.Process.Pid, os.Getpid(), 1, 0, -1, 1 << 30} {
		if isDaemon(pid, "vpn") {
			t.Errorf("process %d passes for a daemon of ours", pid)
		}
	}
}

func TestWaitingForTheLockEndsWithTheSignal(t *testing.T) {
	dir := t.TempDir()
	holder(t, dir, "vpn", "SSTP_TEST_STUBBORN=1")
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := takeLock(ctx, dir, "vpn", (&lines{}).logf); err != context.DeadlineExceeded {
		t.Errorf("got %v", err)
	}
}

func TestADaemonThatKeepsDyingYoungWaitsBeforeItsNextStart(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "vpn.lock")
	for deaths := range fewDeaths {
		if err := os.WriteFile(path, fmt.Appendf(nil, "%d %d\n", 1<<30, deaths), 0o600); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel() // so that a wait ends at once
		log := &lines{}
		l, err := takeLock(ctx, dir, "vpn", log.logf)
		if err != nil {
			t.Fatal(err)
		}
		if _, counted, _ := l.read(); counted != deaths+1 {
			t.Errorf("%d deaths are counted as %d", deaths+1, counted)
		}
		if waits := strings.Contains(log.String(), "waiting"); waits != (deaths+1 >= fewDeaths) {
			t.Errorf("after %d deaths it waits: %v", deaths+1, waits)
		}
		l.file.Close() // killed
	}
	long := time.Now().Add(-2 * shortLived)
	if err := os.Chtimes(path, long, long); err != nil {
		t.Fatal(err)
	}
	l, err := takeLock(t.Context(), dir, "vpn", (&lines{}).logf)
	if err != nil {
		t.Fatal(err)
	}
	defer l.release()
	if _, counted, _ := l.read(); counted != 0 {
		t.Errorf("one that lived for long counts as %d deaths", counted)
	}
}

func TestAParentThatIsAnotherOneByNowIsNoticed(t *testing.T) {
	t.Setenv(parentEnv, strconv.Itoa(os.Getppid()))
	if !followParent() {
		t.Error("the parent is there")
	}
	t.Setenv(parentEnv, strconv.Itoa(1<<30))
	if followParent() {
		t.Error("another process is the parent by now")
	}
	os.Unsetenv(parentEnv)
	if !followParent() {
		t.Error("started by hand there is nobody to follow")
	}
}
