package tun

import (
	"io"
	"os"

	"github.com/songgao/water"
	"golang.org/x/sys/unix"
)

// maxDropped is how many packets ReadPackets may drop before it returns, even with none. A deadline must take effect
// during a flood too.
const maxDropped = 64

// plain moves packets one by one: each read returns a packet, and each write takes one.
type plain struct{}

// openPlain opens a device through water. Water's file is in non-blocking mode and registered with the runtime's poller.
func openPlain(name string) (*Device, error) {
	if err := tryTaken(name); err != nil {
		return nil, err
	}
	ifce, err := water.New(water.Config{
		DeviceType:             water.TUN,
		PlatformSpecificParams: water.PlatformSpecificParams{Name: name},
	})
	if err != nil {
		return nil, err
	}
	file, ok := ifce.ReadWriteCloser.(*os.File)
	if !ok {
		ifce.Close()
		return nil, unix.ENOTSUP
	}
	d, err := newDevice(file, ifce.Name(), false, plain{}, plain{})
	if err == nil {
		err = d.raw.Control(func(fd uintptr) { unix.CloseOnExec(int(fd)) })
	}
	if err != nil {
		file.Close()
		return nil, err
	}
	return d, nil
}

// tryTaken returns an error when a device called name exists and cannot be attached to. Water never closes its file when
// it cannot attach, so this finds out first.
func tryTaken(name string) error {
	if _, err := interfaceMTU(name, unix.SIOCGIFMTU, 0); name == "" || err != nil {
		return nil
	}
	fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	req, err := unix.NewIfreq(name)
	if err != nil {
		return err
	}
	req.SetUint16(unix.IFF_TUN | unix.IFF_NO_PI)
	return unix.IoctlIfreq(fd, unix.TUNSETIFF, req)
}

func (plain) fill(fd int, b *batch) (done bool) {
	for space := b.space(); space != nil; space = b.space() {
		n, err := read(fd, space)
		switch {
		case err == unix.EINTR:
		case err == unix.EAGAIN:
			return b.n > 0
		case err == nil && n == 0:
			b.err = io.ErrUnexpectedEOF
			return true
		case err != nil:
			b.err = err
			return true
		case n == len(space):
			// The packet is larger than our MTU, which somebody has changed, and may be cut off.
			if b.dropped++; b.dropped == maxDropped {
				return true
			}
		default:
			b.add(n)
		}
	}
	return true
}

// pending returns false: fill keeps nothing back.
func (plain) pending() bool { return false }

func (plain) write(fd int, pkts [][]byte) (written int, err error) {
	for _, pkt := range pkts {
		_, err := write(fd, pkt)
		for err == unix.EINTR {
			_, err = write(fd, pkt)
		}
		if err == nil {
			written++
		} else if gone(err) {
			return written, err
		}
	}
	return written, nil
}
