package main

import (
	"net"
	"strings"
	"time"
)

// forwardNames stands for dnsmasq, which answers the router's own programs on most routers: it passes each question to all
// name servers that netifd has at that moment, and the first answer back.
func (r *router) forwardNames() {
	r.w.must(r.net.do(func() error {
		c, err := net.ListenPacket("udp", "127.0.0.1:53")
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
				question := append([]byte(nil), buf[:n]...)
				go func() { c.WriteTo(r.askAll(question), from) }()
			}
		}()
		return nil
	}))
}

// askAll returns the first answer to a question, or a refusal.
func (r *router) askAll(question []byte) []byte {
	if len(question) < 12 {
		return nil
	}
	const patience = 2 * time.Second
	answers := make(chan []byte, 16)
	asked := 0
	r.net.do(func() error {
		for line := range strings.Lines(r.read("tmp/resolv.conf.d/resolv.conf.auto")) {
			f := strings.Fields(line)
			if len(f) != 2 || f[0] != "nameserver" || asked == cap(answers) {
				continue
			}
			c, err := net.Dial("udp", net.JoinHostPort(f[1], "53"))
			if err != nil {
				continue
			}
			asked++
			go func() {
				defer c.Close()
				c.SetDeadline(time.Now().Add(patience))
				buf := make([]byte, 1500)
				c.Write(question)
				n, err := c.Read(buf)
				if err != nil {
					n = 0
				}
				answers <- buf[:n]
			}()
		}
		return nil
	})
	for range asked {
		if a := <-answers; len(a) > 0 {
			return a
		}
	}
	refusal := append([]byte(nil), question...)
	refusal[2] |= 0x80
	refusal[3] = 5
	return refusal
}
