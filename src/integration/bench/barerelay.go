package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"

	"sstp/src/integration/netkit"
)

// bareOuter is the address of the server of the bare relay.
const bareOuter = serverOuter + ":999"

// bareTask is one end of a bare relay, the least that a tunnel in user space can be: one thread waits for the device and for a
// TCP connection and moves what arrives to the other side, without framing, cipher or goroutine. It adds to a round trip what the
// kernel needs to wake four programs, which no tunnel can undercut.
type bareTask struct {
	Device string
	Listen bool // otherwise dial
}

// bareRelay makes a tunnel of a bare relay at both ends.
func bareRelay(n *netkit.Net, name string) (*tunnel, error) {
	t, err := newCable(n, name)
	if err != nil {
		return nil, err
	}
	t.far = "10.96.0.1"
	for _, end := range []struct {
		in      *netkit.Namespace
		listen  bool
		address string
	}{{t.server, true, t.far}, {t.client, false, "10.96.0.2"}} {
		p, err := startWorker(end.in, "bare", bareTask{"bare0", end.listen})
		if err != nil {
			return nil, err
		}
		for _, c := range [][]string{{"ip", "addr", "add", end.address + "/24", "dev", "bare0"}, {"ip", "link", "set", "bare0", "up"}} {
			if _, err := end.in.Run(c...); err != nil {
				return nil, err
			}
		}
		t.peer, t.program = t.program, p
	}
	return t, t.answers()
}

// run moves packets until the connection ends.
func (t bareTask) run() error {
	device, err := bareDevice(t.Device)
	if err != nil {
		return err
	}
	var conn net.Conn
	if t.Listen {
		ln, err := net.Listen("tcp", bareOuter)
		if err != nil {
			return err
		}
		fmt.Println("serving")
		if conn, err = ln.Accept(); err != nil {
			return err
		}
	} else {
		if conn, err = net.Dial("tcp", bareOuter); err != nil {
			return err
		}
		fmt.Println("serving")
	}
	file, err := conn.(*net.TCPConn).File()
	if err != nil {
		return err
	}
	defer file.Close() // it must not be collected before
	socket := int(file.Fd())
	ends := []unix.PollFd{{Fd: int32(device), Events: unix.POLLIN}, {Fd: int32(socket), Events: unix.POLLIN}}
	buf := make([]byte, 1<<16)
	for {
		// Raw system calls, because Go's scheduler would do more work than the relay.
		_, _, errno := unix.RawSyscall6(unix.SYS_PPOLL, uintptr(unsafe.Pointer(&ends[0])), 2, 0, 0, 0, 0)
		if errno == unix.EINTR {
			continue
		}
		if errno != 0 {
			return os.NewSyscallError("ppoll", errno)
		}
		for i, other := range []int{socket, device} {
			if ends[i].Revents == 0 {
				continue
			}
			n, _, errno := unix.RawSyscall(unix.SYS_READ, uintptr(ends[i].Fd), uintptr(unsafe.Pointer(&buf[0])), uintptr(len(buf)))
			switch {
			case errno != 0:
				return os.NewSyscallError("read", errno)
			case n == 0:
				return errors.New("the other end is gone")
			}
			// Pings are one packet each, so a read of the socket returns one packet for the device. The device refuses it while
			// it is down.
			if _, _, errno := unix.RawSyscall(unix.SYS_WRITE, uintptr(other), uintptr(unsafe.Pointer(&buf[0])), n); errno != 0 && other == socket {
				return os.NewSyscallError("write", errno)
			}
		}
	}
}

// bareDevice opens a TUN device whose reads block.
func bareDevice(name string) (int, error) {
	fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return 0, err
	}
	req, err := unix.NewIfreq(name)
	if err != nil {
		return 0, err
	}
	req.SetUint16(unix.IFF_TUN | unix.IFF_NO_PI)
	return fd, unix.IoctlIfreq(fd, unix.TUNSETIFF, req)
}
