package main

import (
	"encoding/binary"
	"fmt"
	"net"
	"sync"
	"time"

	"sstp/src/offload"
)

// pinger sends echo requests (RFC 792) at an even pace and notes which are answered.
type pinger struct {
	c     net.PacketConn
	to    net.Addr
	every time.Duration
	stop  chan struct{}
	done  sync.WaitGroup

	mu   sync.Mutex
	sent int
	got  []time.Time // when an answer came, in order
}

// ping begins to ping an address from a namespace.
func (w *world) ping(from *space, address string, every time.Duration) *pinger {
	p := &pinger{to: &net.IPAddr{IP: net.ParseIP(address)}, every: every, stop: make(chan struct{})}
	w.must(from.do(func() (err error) {
		p.c, err = net.ListenPacket("ip4:icmp", "0.0.0.0")
		return err
	}))
	p.done.Go(p.send)
	p.done.Go(p.receive)
	return p
}

func (p *pinger) send() {
	tick := time.NewTicker(p.every)
	defer tick.Stop()
	for seq := uint16(1); ; seq++ {
		msg := make([]byte, 64)
		msg[0] = 8
		binary.BigEndian.PutUint16(msg[4:], 0x5570)
		binary.BigEndian.PutUint16(msg[6:], seq)
		binary.BigEndian.PutUint16(msg[2:], ^offload.Sum(msg, 0))
		p.c.WriteTo(msg, p.to) // without a route it is lost as any other
		p.mu.Lock()
		p.sent++
		p.mu.Unlock()
		select {
		case <-p.stop:
			p.c.SetReadDeadline(time.Now().Add(200 * time.Millisecond))
			return
		case <-tick.C:
		}
	}
}

func (p *pinger) receive() {
	buf := make([]byte, 1500)
	for {
		n, from, err := p.c.ReadFrom(buf)
		if err != nil {
			return
		}
		if n >= 8 && buf[0] == 0 && binary.BigEndian.Uint16(buf[4:]) == 0x5570 && from.String() == p.to.String() {
			p.mu.Lock()
			p.got = append(p.got, time.Now())
			p.mu.Unlock()
		}
	}
}

// end stops pinging.
func (p *pinger) end() {
	close(p.stop)
	p.done.Wait()
	p.c.Close()
}

// answered returns how many requests were sent and how many of them answered by now.
func (p *pinger) answered() (sent, got int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.sent, len(p.got)
}

// silence returns the longest time between two answers.
func (p *pinger) silence() (longest time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := 1; i < len(p.got); i++ {
		longest = max(longest, p.got[i].Sub(p.got[i-1]))
	}
	return longest
}

// reaches waits until an address answers pings from a namespace.
func (w *world) reaches(from *space, address string, within time.Duration) {
	p := w.ping(from, address, 50*time.Millisecond)
	defer p.end()
	w.until(within, fmt.Sprintf("%s answers pings from the %s", address, from.name), func() string {
		if sent, got := p.answered(); got < 3 {
			return fmt.Sprintf("%d of %d pings were answered", got, sent)
		}
		return ""
	})
}
