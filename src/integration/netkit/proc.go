package netkit

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// clockTick is the unit of processor times in /proc. It is the same on every Linux that Go runs on (USER_HZ).
const clockTick = time.Second / 100

// CPUTime returns the processor time of a process and its descendants, in user space and in the kernel (proc(5)).
func CPUTime(pid int) (sum time.Duration, err error) {
	for _, p := range family(pid) {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p))
		if err != nil {
			return 0, err
		}
		ticks, err := statTicks(string(stat))
		if err != nil {
			return 0, err
		}
		sum += time.Duration(ticks) * clockTick
	}
	return sum, nil
}

// statTicks reads utime and stime from a line of /proc/PID/stat. The program's name in it is in brackets and may hold
// anything.
func statTicks(stat string) (int, error) {
	fields := strings.Fields(stat[strings.LastIndexByte(stat, ')')+1:])
	if len(fields) < 13 {
		return 0, fmt.Errorf("not a line of /proc/PID/stat: %q", stat)
	}
	user, err := strconv.Atoi(fields[11])
	if err != nil {
		return 0, err
	}
	system, err := strconv.Atoi(fields[12])
	return user + system, err
}

// Memory is a process's use of memory in bytes, with its descendants'.
type Memory struct {
	Resident, Anonymous uint64 // now
	Peak                uint64 // the sum of what each had at most
}

// MemoryOf returns the memory of a process and its descendants.
func MemoryOf(pid int) (sum Memory, err error) {
	for _, p := range family(pid) {
		status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p))
		if err != nil {
			return sum, err
		}
		for line := range strings.Lines(string(status)) {
			name, value, _ := strings.Cut(line, ":")
			var kib uint64
			fmt.Sscan(value, &kib)
			switch name {
			case "VmRSS":
				sum.Resident += kib << 10
			case "RssAnon":
				sum.Anonymous += kib << 10
			case "VmHWM":
				sum.Peak += kib << 10
			}
		}
	}
	return sum, nil
}

// family returns a process and its descendants.
func family(pid int) []int {
	list := []int{pid}
	children, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	for _, field := range strings.Fields(string(children)) {
		if child, err := strconv.Atoi(field); err == nil {
			list = append(list, family(child)...)
		}
	}
	return list
}
