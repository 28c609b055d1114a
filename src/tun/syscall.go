package tun

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// The system calls of the data path bypass Go's scheduler. They never block, because the file is in non-blocking mode, and
// preparing another thread to take over would cost more than many of these calls.

// read is read(2).
func read(fd int, b []byte) (int, error) { return call(unix.SYS_READ, fd, b) }

// write is write(2).
func write(fd int, b []byte) (int, error) { return call(unix.SYS_WRITE, fd, b) }

func call(trap uintptr, fd int, b []byte) (int, error) {
	n, _, errno := unix.RawSyscall(trap, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)))
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}

// writev is writev(2).
func writev(fd int, parts []unix.Iovec) unix.Errno {
	_, _, errno := unix.RawSyscall(unix.SYS_WRITEV, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(parts))), uintptr(len(parts)))
	return errno
}
