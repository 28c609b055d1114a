package ktls

import (
	"errors"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Kernel is the TLS of a kernel on sockets. The sockets are in non-blocking mode: unix.EAGAIN means that nothing was done
// and that the caller must wait for the poller.
type Kernel interface {
	// Attach prepares a connected socket, which works as before until it has keys.
	Attach(fd int) error
	// SetKeys installs the keys of one direction, TLS_TX or TLS_RX: a structure tls12_crypto_info_* of linux/tls.h.
	SetKeys(fd, direction int, keys []byte) error
	// Receive reads decrypted bytes, all from records of one type. 0 bytes of data without an error mean that the stream has
	// ended; records of other types may be empty.
	Receive(fd int, b []byte) (n int, recordType byte, err error)
	// Send encrypts bytes as records of data, and returns how many it took.
	Send(fd int, b []byte) (n int, err error)
	// SendTyped encrypts one record of another type.
	SendTyped(fd int, b []byte, recordType byte) error
}

// Linux is this machine's kernel. It moves data by RawSyscall, without the scheduler's hooks: on a non-blocking socket the
// calls never block, and waking another thread for them would cost more than the call.
type Linux struct{}

// Attach sets the socket's upper layer protocol to TLS.
func (Linux) Attach(fd int) error {
	return unix.SetsockoptString(fd, unix.IPPROTO_TCP, unix.TCP_ULP, "tls")
}

// SetKeys sets the socket option TLS_TX or TLS_RX.
func (Linux) SetKeys(fd, direction int, keys []byte) error {
	// unix.SetsockoptString would leave a copy of the keys behind.
	_, _, errno := unix.Syscall6(unix.SYS_SETSOCKOPT, uintptr(fd), unix.SOL_TLS, uintptr(direction),
		uintptr(unsafe.Pointer(&keys[0])), uintptr(len(keys)), 0)
	if errno != 0 {
		return errno
	}
	if direction == tlsRX {
		// SSTP servers do not pad their records, so the kernel may decrypt straight into our buffer, which saves a copy. A
		// padded record would only be decrypted twice. Linux 6.0 and later have the option, for TLS 1.3.
		_ = unix.SetsockoptInt(fd, unix.SOL_TLS, tlsRXNoPad, 1)
	}
	return nil
}

// controlLen is the room for a control message of one byte.
var controlLen = unix.CmsgSpace(1)

// Receive calls recvmsg directly, because unix.Recvmsg allocates.
func (Linux) Receive(fd int, b []byte) (int, byte, error) {
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

// recordTypeOf reads the type of the record from recvmsg's control message. The kernel sends none at the end of the stream.
func recordTypeOf(control []byte) byte {
	if len(control) < unix.CmsgLen(1) {
		return recordData
	}
	if h, data, _, err := unix.ParseOneSocketControlMessage(control); err == nil && h.Level == unix.SOL_TLS && h.Type == tlsGetType {
		return data[0]
	}
	return recordData
}

// Send calls write, whose bytes the kernel takes for data.
func (Linux) Send(fd int, b []byte) (int, error) {
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

// SendTyped calls sendmsg with the type in a control message.
func (Linux) SendTyped(fd int, b []byte, recordType byte) error {
	control := controlMessage(make([]byte, controlLen), tlsSetType, recordType)
	for {
		_, err := unix.SendmsgN(fd, b, control, nil, unix.MSG_DONTWAIT)
		if err != unix.EINTR {
			return err
		}
	}
}

// controlMessage writes into room, which has controlLen bytes, the control message with the type of a record.
func controlMessage(room []byte, what int32, recordType byte) []byte {
	h := (*unix.Cmsghdr)(unsafe.Pointer(&room[0]))
	h.Level, h.Type = unix.SOL_TLS, what
	h.SetLen(unix.CmsgLen(1))
	room[unix.CmsgLen(0)] = recordType
	return room
}

// connectionErrors are the errors of a TCP connection, which have nothing to do with TLS in the kernel.
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
