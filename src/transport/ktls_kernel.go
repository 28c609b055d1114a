package transport

import (
	"errors"
	"unsafe"

	"golang.org/x/sys/unix"
)

// kernel is the machine's TLS on sockets (Documentation/networking/tls.rst). The sockets are in non-blocking mode:
// unix.EAGAIN means that nothing was done and the poller must be waited for.
type kernel interface {
	// attach prepares a connected socket; it goes on as before until it gets keys.
	attach(fd int) error
	// setKeys hands over one direction, tlsTX or tlsRX, with what appendKernelKeys made.
	setKeys(fd, direction int, keys []byte) error
	// recv takes decrypted bytes, all of one type of record. 0 bytes and no error: the stream has ended, where the type
	// is recordData; other records may be empty.
	recv(fd int, b []byte) (n int, recordType byte, err error)
	// send encrypts bytes as records of data, and says how many it took.
	send(fd int, b []byte) (n int, err error)
	// sendTyped encrypts one record of another type.
	sendTyped(fd int, b []byte, recordType byte) error
}

// linux is the real kernel. What moves data are system calls that Go's scheduler does not hear of, as in Direct, and for the
// same reason.
type linux struct{}

func (linux) attach(fd int) error {
	return unix.SetsockoptString(fd, unix.IPPROTO_TCP, unix.TCP_ULP, "tls")
}

func (linux) setKeys(fd, direction int, keys []byte) error {
	// The system call itself, because unix.SetsockoptString would leave a copy of the keys behind.
	_, _, errno := unix.Syscall6(unix.SYS_SETSOCKOPT, uintptr(fd), unix.SOL_TLS, uintptr(direction),
		uintptr(unsafe.Pointer(&keys[0])), uintptr(len(keys)), 0)
	if errno != 0 {
		return errno
	}
	if direction == tlsRX {
		// SSTP servers do not pad their records: decrypting straight into our buffer saves a copy. Linux 6.0 and later have
		// the option, for TLS 1.3; a padded record is only decrypted twice.
		_ = unix.SetsockoptInt(fd, unix.SOL_TLS, tlsRXNoPad, 1)
	}
	return nil
}

// controlLen is the room for a control message of one byte.
var controlLen = unix.CmsgSpace(1)

// recv is recvmsg as it is: unix.Recvmsg allocates.
func (linux) recv(fd int, b []byte) (int, byte, error) {
	var room [64]byte // larger than controlLen on all machines
	part := unix.Iovec{Base: &b[0]}
	part.SetLen(len(b))
	msg := unix.Msghdr{Iov: &part, Control: &room[0]}
	msg.SetIovlen(1)
	for {
		msg.SetControllen(controlLen)
		n, _, errno := unix.RawSyscall(unix.SYS_RECVMSG, uintptr(fd), uintptr(unsafe.Pointer(&msg)), 0)
		switch errno {
		case 0:
			return int(n), recordTypeOf(room[:msg.Controllen]), nil
		case unix.EINTR:
		case unix.EAGAIN:
			return 0, 0, unix.EAGAIN
		default:
			return 0, 0, errno
		}
	}
}

// recordTypeOf reads the type of the record from recvmsg's control message. The kernel gives none at the end of the
// stream.
func recordTypeOf(control []byte) byte {
	if len(control) < unix.CmsgLen(1) {
		return recordData
	}
	if h, data, _, err := unix.ParseOneSocketControlMessage(control); err == nil && h.Level == unix.SOL_TLS && h.Type == tlsGetType {
		return data[0]
	}
	return recordData
}

func (linux) send(fd int, b []byte) (int, error) {
	for {
		n, _, errno := unix.RawSyscall(unix.SYS_WRITE, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)))
		switch errno {
		case 0:
			return int(n), nil
		case unix.EINTR:
		default:
			return 0, errno
		}
	}
}

func (linux) sendTyped(fd int, b []byte, recordType byte) error {
	control := controlMessage(make([]byte, controlLen), tlsSetType, recordType)
	for {
		_, err := unix.SendmsgN(fd, b, control, nil, unix.MSG_DONTWAIT)
		if err != unix.EINTR {
			return err
		}
	}
}

// controlMessage makes room, of controlLen, the control message of one byte that tells the type of a record.
func controlMessage(room []byte, what int32, recordType byte) []byte {
	h := (*unix.Cmsghdr)(unsafe.Pointer(&room[0]))
	h.Level, h.Type = unix.SOL_TLS, what
	h.SetLen(unix.CmsgLen(1))
	room[unix.CmsgLen(0)] = recordType
	return room
}

// The errors of a connection as such, which have nothing to do with TLS in the kernel.
var connectionErrors = [...]unix.Errno{
	unix.ECONNRESET, unix.EPIPE, unix.ECONNABORTED, unix.ENOTCONN, unix.ESHUTDOWN, unix.ETIMEDOUT, unix.EHOSTUNREACH,
	unix.ENETUNREACH, unix.ENETDOWN, unix.ENETRESET, unix.EHOSTDOWN, unix.ECONNREFUSED, unix.EACCES, unix.EPERM,
}

func isConnectionError(err error) bool {
	for _, e := range connectionErrors {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}
