package tun

import "golang.org/x/sys/unix"

// writer is one way of putting packets into the file. write tries them all, in order, and never waits. It returns how
// many the kernel has taken, and an error only when the device is gone.
type writer interface {
	write(fd int, pkts [][]byte) (written int, err error)
}

// writeCall is the state of WritePackets; like readCall it saves an allocation for each call.
type writeCall struct {
	pkts    [][]byte
	written int
	err     error
	poll    func(fd uintptr) bool
}

// WritePackets writes packets in order and returns how many of them the kernel has taken. One that it refuses is
// skipped: a malformed packet, or any packet while the device is down. The packets' bytes may be changed, and are not used
// after the return. The error is only set when the device is gone: os.ErrClosed or a *fault.Error.
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

// gone reports whether an error of a write means that the device does not exist any more. A device that is down answers
// EIO, a malformed packet EINVAL.
func gone(err error) bool { return err == unix.EBADFD || err == unix.EBADF }
