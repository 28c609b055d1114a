package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"sstp/src/config"
	"sstp/src/session"
)

// runDir is where the locks are.
const runDir = "/var/run/sstp"

// Times of a take-over, and of a daemon that keeps dying.
const (
	polite     = 4 * time.Second // for the holder to say goodbye
	impolite   = 2 * time.Second // for the kernel to clear it away
	lockPoll   = 20 * time.Millisecond
	shortLived = 10 * time.Second
	fewDeaths  = 3
	deathPause = 5 * time.Second
)

// lock makes sure that an interface has one daemon. netifd can start a second one beside a first that it no longer knows of:
// after a crash, and after it has replaced itself on "network restart". The newcomer is the one that netifd knows.
//
// The file holds the holder's process number, and how many holders before it died young without giving the lock back. It is
// empty after an orderly end.
type lock struct {
	file *os.File
}

// takeLock waits until the lock of an interface is ours, and ends another daemon that holds it.
func takeLock(ctx context.Context, dir, name string, logf session.Logf) (*lock, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	file, err := os.OpenFile(filepath.Join(dir, name+".lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	l := &lock{file}
	deaths, err := l.acquire(ctx, name, logf)
	if err == nil {
		err = l.write(fmt.Sprintf("%d %d\n", os.Getpid(), deaths))
	}
	if err == nil && deaths >= fewDeaths {
		logf(config.LogError, "the last %d daemons of this interface died right after their start; waiting %v", deaths, deathPause)
		select {
		case <-ctx.Done():
		case <-time.After(deathPause):
		}
	}
	if err != nil {
		file.Close()
		return nil, err
	}
	return l, nil
}

// acquire returns how many holders before us died young.
func (l *lock) acquire(ctx context.Context, name string, logf session.Logf) (deaths int, err error) {
	told, killed := 0, false // told is the process that was asked to end
	var deadline time.Time
	for {
		err := unix.Flock(int(l.file.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		pid, deaths, written := l.read()
		if err == nil {
			if pid == 0 || told != 0 || time.Since(written) > shortLived {
				return 0, nil
			}
			return deaths + 1, nil
		}
		if err != unix.EWOULDBLOCK && err != unix.EINTR {
			return 0, err
		}
		now := time.Now()
		switch {
		case pid != told && isDaemon(pid, name):
			logf(config.LogInfo, "taking over from process %d", pid)
			unix.Kill(pid, unix.SIGTERM)
			told, killed, deadline = pid, false, now.Add(polite)
		case deadline.IsZero():
			deadline = now.Add(polite) // it holds the lock and has not written who it is
		case now.After(deadline) && killed, now.After(deadline) && !isDaemon(pid, name):
			return 0, fmt.Errorf("process %d holds the lock of interface %s and cannot be ended", pid, name)
		case now.After(deadline):
			logf(config.LogWarn, "process %d did not end by itself and is killed", pid)
			unix.Kill(pid, unix.SIGKILL)
			killed, deadline = true, now.Add(impolite)
		}
		select {
		case <-ctx.Done():
			return 0, context.Cause(ctx)
		case <-time.After(lockPoll):
		}
	}
}

// read returns what the file says, 0 for an empty one.
func (l *lock) read() (pid, deaths int, written time.Time) {
	var b [64]byte
	n, _ := l.file.ReadAt(b[:], 0)
	words := strings.Fields(string(b[:n]))
	if len(words) == 2 {
		pid, _ = strconv.Atoi(words[0])
		deaths, _ = strconv.Atoi(words[1])
	}
	if info, err := l.file.Stat(); err == nil {
		written = info.ModTime()
	}
	return pid, deaths, written
}

func (l *lock) write(text string) error {
	if err := l.file.Truncate(0); err != nil {
		return err
	}
	_, err := l.file.WriteAt([]byte(text), 0)
	return err
}

// release gives the lock back after an orderly end.
func (l *lock) release() {
	l.write("")
	l.file.Close()
}

// isDaemon reports whether a process is a daemon of ours for the interface: process numbers are used again, and nobody else
// must be killed.
func isDaemon(pid int, name string) bool {
	if pid <= 1 || pid == os.Getpid() {
		return false
	}
	cmdline, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	if err != nil {
		return false
	}
	args := bytes.Split(bytes.TrimSuffix(cmdline, []byte{0}), []byte{0})
	return len(args) == 3 && strings.HasPrefix(filepath.Base(string(args[0])), "sstp") && string(args[1]) == "daemon" && string(args[2]) == name
}

// parentEnv holds the process number of netifd, from the handler.
const parentEnv = "SSTP_PARENT"

// followParent makes the kernel send us SIGTERM when the process that started us dies: a netifd that was killed starts a new
// daemon when it comes back. It reports false where that has already happened. It must be called on the main thread, which
// lives as long as the process: the kernel keeps the wish with the thread.
func followParent() bool {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(unix.SIGTERM), 0, 0, 0); err != nil {
		return true
	}
	parent, err := strconv.Atoi(os.Getenv(parentEnv))
	now := os.Getppid()
	return err != nil || now == 0 || now == parent // 0: the parent is outside of our process namespace
}
