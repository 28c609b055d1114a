package tun

import "golang.org/x/sys/unix"

// writer is one way of writing packets to the file. write tries all packets in order and never waits. It returns how many
// the kernel has taken. It returns an error only when the device is gone.
type writer interface {
	write(fd int, pkts [][]byte) (written int, err error)
}

// writeCall is the state of WritePackets. Like readCall it saves an allocation for each call.
type writeCall struct {
	pkts    [][]byte
	written int
	err     error
	poll    func(fd uintptr) bool
}

// WritePackets writes packets in order and returns how many of them the kernel has taken. It skips packets that the kernel
// refuses: malformed ones, and all packets while the device is down. It may change the bytes of the packets, and does not
// use them after it has returned. The error is os.ErrClosed or a *fault.Error, and only set when the device is gone.
func (d *Device) WritePackets(pkts [][]byte) (written int, err error) {
	w := &d.out
	w.pkts, w.written, w.err = pkts, 0, nil
	err = d.raw.Write(w.poll)
	w.pkts = nil
	if err == nil {
		err = w.err
	}
	return w.written, d.ioError(err)
}

// gone reports whether a write error means that the device no longer exists. A device that is down gives EIO, a malformed
// packet EINVAL.
func gone(err error) bool { return err == unix.EBADFD || err == unix.EBADF }
