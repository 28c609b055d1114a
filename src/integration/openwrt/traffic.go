package main

import (
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"sstp/src/offload"
)

// The far ends of the proof's traffic. They answer on the internet and behind the tunnel, like most addresses of the
// internet: what a flow is told does not depend on the way that it takes. To the first go flows that are new with each
// packet, to the second one flow that lasts, which a firewall treats differently.
const (
	fleeting4 = "198.18.7.1"
	lasting4  = "198.18.7.2"
	fleeting6 = "2001:db8:7::1"
	lasting6  = "2001:db8:7::2"
)

// traffic is what a host of the LAN sends without pause: TCP, UDP, ICMP and questions for names, over IPv4 and IPv6.
type traffic struct {
	resolver string // the router's, on the LAN
	mu       sync.Mutex
	sent     map[string]int
}

// sendEvery is how often each kind of packet is sent, once as a new flow and once as the lasting one.
const sendEvery = 25 * time.Millisecond

// farEnds makes a namespace answer at the far ends' addresses: an echo for TCP and UDP, and nothing else.
func (w *world) farEnds(in *space) {
	for _, address := range []string{fleeting4 + "/32", lasting4 + "/32"} {
		_, err := in.run("ip", "addr", "add", address, "dev", "lo")
		w.must(err)
	}
	for _, address := range []string{fleeting6 + "/128", lasting6 + "/128"} {
		_, err := in.run("ip", "-6", "addr", "add", address, "dev", "lo", "nodad")
		w.must(err)
	}
	w.must(in.do(func() error {
		for _, host := range []string{fleeting4, lasting4, fleeting6, lasting6} {
			l, err := net.Listen("tcp", net.JoinHostPort(host, "9"))
			if err != nil {
				return err
			}
			go func() {
				for {
					c, err := l.Accept()
					if err != nil {
						return
					}
					go func() {
						io.Copy(c, c)
						c.Close()
					}()
				}
			}()
			c, err := net.ListenPacket("udp", net.JoinHostPort(host, "9"))
			if err != nil {
				return err
			}
			go func() {
				buf := make([]byte, 1500)
				for {
					n, from, err := c.ReadFrom(buf)
					if err != nil {
						return
					}
					c.WriteTo(buf[:n], from)
				}
			}()
		}
		return nil
	}))
}

// begin lets a host send until the world ends. It sends from this process's own network, the LAN, or from in.
func (w *world) begin(in *space, resolver string) *traffic {
	t := &traffic{resolver: resolver, sent: map[string]int{}}
	every := func(kind string, send func() error) {
		go in.do(func() error { // on a thread of that network
			for ; ; time.Sleep(sendEvery) {
				if send() == nil {
					t.mu.Lock()
					t.sent[kind]++
					t.mu.Unlock()
				}
			}
		})
	}
	for _, f := range []struct{ six, fleeting, lasting string }{{"", fleeting4, lasting4}, {"6", fleeting6, lasting6}} {
		every("tcp"+f.six, func() error { return syn(f.fleeting) })
		every("tcp"+f.six, lastingTCP(f.lasting))
		every("udp"+f.six, func() error { return datagram(net.JoinHostPort(f.fleeting, "9"), []byte("a datagram of the LAN")) })
		every("udp"+f.six, lastingUDP(net.JoinHostPort(f.lasting, "9")))
		every("icmp"+f.six, echo(f.fleeting, false))
		every("icmp"+f.six, echo(f.lasting, true))
	}
	every("dns", func() error { return datagram(net.JoinHostPort(fleeting4, "53"), question()) })
	if resolver != "" {
		every("names", func() error { return datagram(net.JoinHostPort(resolver, "53"), question()) })
	}
	return t
}

// counts returns how many packets were sent of each kind.
func (t *traffic) counts() map[string]int {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := map[string]int{}
	for kind, c := range t.sent {
		n[kind] = c
	}
	return n
}

// syn opens a connection without waiting for it, and forgets it.
func syn(host string) error {
	ip := net.ParseIP(host)
	domain, to := unix.AF_INET6, unix.Sockaddr(&unix.SockaddrInet6{Port: 9, Addr: [16]byte(ip.To16())})
	if four := ip.To4(); four != nil {
		domain, to = unix.AF_INET, &unix.SockaddrInet4{Port: 9, Addr: [4]byte(four)}
	}
	fd, err := unix.Socket(domain, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	// It sends its SYN, and another one a second later where nobody answers.
	time.AfterFunc(1500*time.Millisecond, func() {
		unix.SetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})
		unix.Close(fd)
	})
	if err := unix.Connect(fd, to); err != unix.EINPROGRESS {
		return err
	}
	return nil
}

// datagram sends one datagram from a new port.
func datagram(to string, b []byte) error {
	c, err := net.Dial("udp", to)
	if err != nil {
		return err
	}
	defer c.Close()
	_, err = c.Write(b)
	return err
}

// question returns a question for a name that nobody has asked for before.
func question() []byte {
	q := binary.BigEndian.AppendUint16(nil, uint16(rand.Uint32()))
	q = append(q, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0)
	label := fmt.Sprintf("n%x", rand.Uint64())
	q = append(append(q, byte(len(label))), label...)
	q = append(append(q, proofLabels...), 0)
	return append(q, 0, 1, 0, 1)
}

// lastingTCP writes to one connection for as long as it lives, and then to another one.
func lastingTCP(host string) func() error {
	var c net.Conn
	return func() (err error) {
		if c == nil {
			d := net.Dialer{Timeout: 500 * time.Millisecond}
			if c, err = d.Dial("tcp", net.JoinHostPort(host, "9")); err != nil {
				c = nil
				return err
			}
			raw, _ := c.(*net.TCPConn).SyscallConn()
			raw.Control(func(fd uintptr) {
				unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, 8000)
			})
			go io.Copy(io.Discard, c)
		}
		c.SetWriteDeadline(time.Now().Add(time.Second))
		if _, err = c.Write([]byte("a line of the LAN\n")); err != nil {
			c.Close()
			c = nil
		}
		return err
	}
}

// lastingUDP sends from one port all the time.
func lastingUDP(to string) func() error {
	var c net.Conn
	return func() (err error) {
		if c == nil {
			if c, err = net.Dial("udp", to); err != nil {
				c = nil
				return err
			}
			go func() { // reads the answers, and the errors that refusals leave on the socket
				buf := make([]byte, 1500)
				for {
					if _, err := c.Read(buf); err == net.ErrClosed {
						return
					} else if err != nil {
						time.Sleep(time.Millisecond)
					}
				}
			}()
		}
		_, err = c.Write([]byte("a datagram of a flow that lasts"))
		return err
	}
}

// echo sends echo requests, with one number or with another one each time.
func echo(host string, lasting bool) func() error {
	var c net.PacketConn
	to := &net.IPAddr{IP: net.ParseIP(host)}
	six := to.IP.To4() == nil
	id := uint16(0x5353)
	return func() (err error) {
		if c == nil {
			network, any := "ip4:icmp", "0.0.0.0"
			if six {
				network, any = "ip6:ipv6-icmp", "::"
			}
			if c, err = net.ListenPacket(network, any); err != nil {
				c = nil
				return err
			}
		}
		if !lasting {
			id++
		}
		msg := make([]byte, 40)
		msg[0] = 8
		if six {
			msg[0] = 128 // the kernel adds the checksum
		}
		binary.BigEndian.PutUint16(msg[4:], id)
		if !six {
			binary.BigEndian.PutUint16(msg[2:], ^offload.Sum(msg, 0))
		}
		_, err = c.WriteTo(msg, to)
		return err
	}
}
