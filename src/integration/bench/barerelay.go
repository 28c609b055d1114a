package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"

	"sstp/src/integration"
)

// bareRelay is the least that a tunnel in user space can be: one thread waits for the device and for a TCP connection and
// moves what comes to the other side, with no framing, no cipher and no goroutine. What it adds to a round trip is what
// the kernel takes to wake four programs; a tunnel can only come near it.
const (
	bareOuter = serverOuter + ":999"
	bareFar   = "10.96.0.1"
	bareNear  = "10.96.0.2"
)

// bareJob is one end of a bare relay.
type bareJob struct {
	Device string
	Listen bool // or else dial
}

// bare lays a cable with a bare relay at both ends.
func bare(bed *integration.Bed, name string) (*tunnel, error) {
	t, err := cable(bed, name)
	if err != nil {
		return nil, err
	}
	t.far = bareFar
	for _, end := range []struct {
		space   *integration.Space
		job     string
		address string
	}{
		{t.server, `{"Device":"bare0","Listen":true}`, bareFar},
		{t.client, `{"Device":"bare0"}`, bareNear},
	} {
		p, err := end.space.Start("", "env", bareVariable+"="+end.job, self)
		if err != nil {
			return nil, err
		}
		if _, err := p.WaitFor("serving", 0, patience); err != nil {
			return nil, err
		}
		for _, c := range [][]string{{"ip", "addr", "add", end.address + "/24", "dev", "bare0"}, {"ip", "link", "set", "bare0", "up"}} {
			if _, err := end.space.Run(c...); err != nil {
				return nil, err
			}
		}
		t.peer, t.program = t.program, p
	}
	return t, t.answers()
}

// run moves packets until the connection ends.
func (j bareJob) run() error {
	device, err := bareDevice(j.Device)
	if err != nil {
		return err
	}
	var conn net.Conn
	if j.Listen {
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
	defer file.Close() // until the end it must not be collected
	socket := int(file.Fd())
	ends := []unix.PollFd{{Fd: int32(device), Events: unix.POLLIN}, {Fd: int32(socket), Events: unix.POLLIN}}
	buf := make([]byte, 1<<16)
	for {
		// Go's scheduler hears of none of this: it would do more than the relay.
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
			// Pings are one packet each, so what a read of the socket gives is one packet for the device, which refuses
			// it before it is up.
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
