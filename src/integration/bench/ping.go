package main

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"os"
	"slices"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// pinger sends ICMP echo requests (RFC 792). The kernel answers at the far end and stamps the answers at this one, so
// that busy processors disturb the times as little as can be.
type pinger struct {
	fd   int
	to   unix.SockaddrInet4
	id   uint16
	sent []time.Time
	took []time.Duration // by sequence number; 0: no answer
	stop chan struct{}
	over chan error
}

// startPings pings an IPv4 address at the given pace until end is called.
func startPings(to netip.Addr, every time.Duration) (*pinger, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.IPPROTO_ICMP)
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	p := &pinger{fd: fd, to: unix.SockaddrInet4{Addr: to.As4()}, id: uint16(os.Getpid()), stop: make(chan struct{}), over: make(chan error, 2)}
	patience := unix.Timeval{Usec: 50_000}
	if err := errors.Join(unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TIMESTAMPNS, 1),
		unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &patience)); err != nil {
		unix.Close(fd)
		return nil, err
	}
	p.sent = make([]time.Time, 0, 1<<16)
	p.took = make([]time.Duration, 1<<16)
	go func() { p.over <- p.ask(every) }()
	go func() { p.over <- p.listen() }()
	return p, nil
}

func (p *pinger) ask(every time.Duration) error {
	next := time.Now()
	for seq := 0; seq < len(p.took); seq++ {
		select {
		case <-p.stop:
			return nil
		case <-time.After(time.Until(next)):
		}
		next = next.Add(every)
		b := []byte{8, 0, 0, 0, 0, 0, 0, 0} // echo request, code, checksum, identifier, sequence number
		binary.BigEndian.PutUint16(b[4:], p.id)
		binary.BigEndian.PutUint16(b[6:], uint16(seq))
		now := time.Now()
		b = binary.BigEndian.AppendUint64(b, uint64(now.UnixNano()))
		binary.BigEndian.PutUint16(b[2:], checksum(b))
		p.sent = append(p.sent, now)
		switch err := unix.Sendto(p.fd, b, 0, &p.to); err {
		case nil, unix.ENOBUFS, unix.EINTR:
		default:
			return os.NewSyscallError("sendto", err)
		}
	}
	return nil
}

// listen takes the answers until end is called and nothing comes any more.
func (p *pinger) listen() error {
	buf, oob := make([]byte, 1500), make([]byte, 128)
	for {
		n, oobn, _, _, err := unix.Recvmsg(p.fd, buf, oob, 0)
		switch err {
		case nil:
			p.take(buf[:n], oob[:oobn])
		case unix.EINTR:
		case unix.EAGAIN:
			select {
			case <-p.stop:
				return nil
			default:
			}
		default:
			return os.NewSyscallError("recvmsg", err)
		}
	}
}

func (p *pinger) take(b, oob []byte) {
	if len(b) < 20+16 || len(b) < int(b[0]&15)*4+16 {
		return
	}
	b = b[int(b[0]&15)*4:]
	if b[0] != 0 || binary.BigEndian.Uint16(b[4:]) != p.id {
		return
	}
	sent := time.Unix(0, int64(binary.BigEndian.Uint64(b[8:])))
	p.took[binary.BigEndian.Uint16(b[6:])] = max(1, stamp(oob).Sub(sent))
}

// stamp returns the kernel's time of reception (SO_TIMESTAMPNS, socket(7)).
func stamp(oob []byte) time.Time {
	if messages, err := unix.ParseSocketControlMessage(oob); err == nil {
		for _, m := range messages {
			if m.Header.Level == unix.SOL_SOCKET && m.Header.Type == unix.SCM_TIMESTAMPNS && len(m.Data) >= int(unsafe.Sizeof(unix.Timespec{})) {
				t := (*unix.Timespec)(unsafe.Pointer(&m.Data[0]))
				return time.Unix(t.Unix())
			}
		}
	}
	return time.Now()
}

// end stops the pings and returns the round trips, and how many got no answer.
func (p *pinger) end() (answered []time.Duration, lost int, err error) {
	close(p.stop)
	err = errors.Join(<-p.over, <-p.over)
	unix.Close(p.fd)
	for i := range p.sent {
		if p.took[i] > 0 {
			answered = append(answered, p.took[i])
		} else {
			lost++
		}
	}
	return answered, lost, err
}

// gap returns the longest time between two answers. A tunnel that is away for a moment may hold pings back and not lose
// one.
func (p *pinger) gap() (longest time.Duration) {
	var arrived []time.Time
	for i := range p.sent {
		if p.took[i] > 0 {
			arrived = append(arrived, p.sent[i].Add(p.took[i]))
		}
	}
	slices.SortFunc(arrived, time.Time.Compare)
	for i := 1; i < len(arrived); i++ {
		longest = max(longest, arrived[i].Sub(arrived[i-1]))
	}
	return longest
}

// checksum is that of RFC 1071.
func checksum(b []byte) uint16 {
	var sum uint32
	for i := 0; i+1 < len(b); i += 2 {
		sum += uint32(binary.BigEndian.Uint16(b[i:]))
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return ^uint16(sum)
}
