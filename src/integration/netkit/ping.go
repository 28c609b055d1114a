package netkit

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"sstp/src/offload"
)

// Pinger sends ICMP echo requests (RFC 792). The kernel answers at the far end and stamps the answers at this one, so that
// busy processors disturb the times as little as possible.
type Pinger struct {
	fd   int
	to   unix.SockaddrInet4
	id   uint16
	stop chan struct{}
	wg   sync.WaitGroup

	mu       sync.Mutex
	sent     []time.Time
	answered []time.Time // of the same request; zero: not yet
}

// pingers counts the pingers of this process, because all see all answers of a namespace.
var pingers atomic.Uint32

// Ping pings an IPv4 address from the namespace, at an even pace, until Stop.
func (s *Namespace) Ping(to netip.Addr, every time.Duration) (p *Pinger, err error) {
	err = s.Do(func() error {
		p, err = Ping(to, every)
		return err
	})
	return p, err
}

// Ping pings an IPv4 address from the network of the calling thread, at an even pace, until Stop. A request that the kernel
// refuses, for want of a route for example, counts as lost.
func Ping(to netip.Addr, every time.Duration) (*Pinger, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.IPPROTO_ICMP)
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	p := &Pinger{fd: fd, to: unix.SockaddrInet4{Addr: to.As4()}, id: uint16(uint32(os.Getpid()) + pingers.Add(1)<<8), stop: make(chan struct{})}
	patience := unix.Timeval{Usec: 50_000}
	if err := errors.Join(unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TIMESTAMPNS, 1),
		unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &patience)); err != nil {
		unix.Close(fd)
		return nil, err
	}
	p.wg.Go(func() { p.send(every) })
	p.wg.Go(p.receive)
	return p, nil
}

// send sends requests until Stop. A request's payload is its index in p.sent, because the sequence number wraps.
func (p *Pinger) send(every time.Duration) {
	next := time.Now()
	for n := 0; ; n++ {
		b := []byte{8, 0, 0, 0} // echo request, code, checksum
		b = binary.BigEndian.AppendUint16(b, p.id)
		b = binary.BigEndian.AppendUint16(b, uint16(n))
		b = binary.BigEndian.AppendUint64(b, uint64(n))
		binary.BigEndian.PutUint16(b[2:], ^offload.Sum(b, 0))
		p.mu.Lock()
		p.sent, p.answered = append(p.sent, time.Now()), append(p.answered, time.Time{})
		p.mu.Unlock()
		unix.Sendto(p.fd, b, 0, &p.to)
		next = next.Add(every)
		select {
		case <-p.stop:
			return
		case <-time.After(time.Until(next)):
		}
	}
}

// receive takes answers until Stop was called and no more arrive.
func (p *Pinger) receive() {
	buf, control := make([]byte, 1500), make([]byte, 128)
	for {
		n, controlLen, _, _, err := unix.Recvmsg(p.fd, buf, control, 0)
		if err == nil {
			p.take(buf[:n], arrival(control[:controlLen]))
			continue
		}
		select {
		case <-p.stop:
			return
		default:
		}
	}
}

// take takes an IPv4 packet that may be an answer.
func (p *Pinger) take(b []byte, at time.Time) {
	if len(b) < 20 || len(b) < int(b[0]&15)*4+16 {
		return
	}
	b = b[int(b[0]&15)*4:]
	if b[0] != 0 || binary.BigEndian.Uint16(b[4:]) != p.id {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if n := binary.BigEndian.Uint64(b[8:]); n < uint64(len(p.answered)) && p.answered[n].IsZero() {
		p.answered[n] = at
	}
}

// arrival returns the kernel's time of reception (SO_TIMESTAMPNS, socket(7)).
func arrival(control []byte) time.Time {
	if messages, err := unix.ParseSocketControlMessage(control); err == nil {
		for _, m := range messages {
			if m.Header.Level == unix.SOL_SOCKET && m.Header.Type == unix.SCM_TIMESTAMPNS && len(m.Data) >= int(unsafe.Sizeof(unix.Timespec{})) {
				t := (*unix.Timespec)(unsafe.Pointer(&m.Data[0]))
				return time.Unix(t.Unix())
			}
		}
	}
	return time.Now()
}

// Stop stops pinging, after the answers that are under way have arrived.
func (p *Pinger) Stop() {
	close(p.stop)
	p.wg.Wait()
	unix.Close(p.fd)
}

// Count returns how many requests were sent, and how many of them have been answered so far.
func (p *Pinger) Count() (sent, answered int) {
	answered = len(p.RoundTrips())
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.sent), answered
}

// RoundTrips returns the times of the answered requests.
func (p *Pinger) RoundTrips() (times []time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, at := range p.answered {
		if !at.IsZero() {
			times = append(times, max(1, at.Sub(p.sent[i])))
		}
	}
	return times
}

// Silence returns the longest time between two answers. A tunnel that is interrupted may hold requests back and lose none.
func (p *Pinger) Silence() (longest time.Duration) {
	p.mu.Lock()
	arrivals := slices.DeleteFunc(slices.Clone(p.answered), time.Time.IsZero)
	p.mu.Unlock()
	slices.SortFunc(arrivals, time.Time.Compare)
	for i := 1; i < len(arrivals); i++ {
		longest = max(longest, arrivals[i].Sub(arrivals[i-1]))
	}
	return longest
}
