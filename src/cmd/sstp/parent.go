package main

import (
	"os"
	"runtime"
	"strconv"

	"golang.org/x/sys/unix"
)

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
