package tun

import (
	"io"
	"os"

	"github.com/songgao/water"
	"golang.org/x/sys/unix"
)

// maxDropped is how many useless packets are taken before ReadPackets returns, with none if need be: whoever wants to
// wake it must not have to wait for the end of a flood.
const maxDropped = 64

// plain moves packets one by one: each read is a packet, each write is a packet.
type plain struct{}

// openPlain opens a device through water, whose file is in non-blocking mode and known to the runtime's poller.
func openPlain(name string) (*Device, error) {
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
	if err != nil {
		file.Close()
	}
	return d, err
}

func (plain) fill(fd int, b *batch) (done bool) {
	for space := b.space(); space != nil; space = b.space() {
		n, err := unix.Read(fd, space)
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
			// Cut off, or at any rate larger than the MTU, which somebody has changed.
			if b.dropped++; b.dropped == maxDropped {
				return true
			}
		default:
			b.add(n)
		}
	}
	return true
}

func (plain) write(fd int, pkts [][]byte) (written int, err error) {
	for _, pkt := range pkts {
		_, err := unix.Write(fd, pkt)
		for err == unix.EINTR {
			_, err = unix.Write(fd, pkt)
		}
		if err == nil {
			written++
		} else if gone(err) {
			return written, err
		}
	}
	return written, nil
}
