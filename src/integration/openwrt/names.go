package main

import (
	"encoding/binary"
	"net"
	"net/netip"
	"strings"
	"sync"
)

// nameServer answers for the few names that the world has; others do not exist.
type nameServer struct {
	mu    sync.Mutex
	names map[string][]netip.Addr
	asked map[string]int // how often each name was asked for
}

// set makes a name have these addresses, in this order.
func (n *nameServer) set(name string, addresses ...string) {
	var list []netip.Addr
	for _, a := range addresses {
		list = append(list, netip.MustParseAddr(a))
	}
	n.mu.Lock()
	n.names[name] = list
	n.mu.Unlock()
}

func newNameServer() *nameServer {
	n := &nameServer{asked: map[string]int{}, names: map[string][]netip.Addr{}}
	n.set(serverName, serverAddress)
	n.set(serverName6, serverAddress6)
	return n
}

// serve answers on an address of a namespace.
func (n *nameServer) serve(in *space, address string) error {
	return in.do(func() error {
		c, err := net.ListenPacket("udp", address)
		if err != nil {
			return err
		}
		go func() {
			buf := make([]byte, 1500)
			for {
				size, from, err := c.ReadFrom(buf)
				if err != nil {
					return
				}
				if reply := n.answer(buf[:size]); reply != nil {
					c.WriteTo(reply, from)
				}
			}
		}()
		return nil
	})
}

// answer makes the reply to a query (RFC 1035 section 4.1), nil where it is none.
func (n *nameServer) answer(query []byte) []byte {
	const headLen = 12
	if len(query) < headLen || query[2]&0x80 != 0 || binary.BigEndian.Uint16(query[4:]) != 1 {
		return nil
	}
	var labels []string
	at := headLen
	for at < len(query) && query[at] != 0 {
		end := at + 1 + int(query[at])
		if query[at] > 63 || end >= len(query) {
			return nil
		}
		labels = append(labels, string(query[at+1:end]))
		at = end
	}
	if at+5 > len(query) {
		return nil
	}
	question := query[headLen : at+5]
	const typeA, typeAAAA = 1, 28
	kind := binary.BigEndian.Uint16(query[at+1:])
	name := strings.ToLower(strings.Join(labels, "."))
	n.mu.Lock()
	addresses, known := n.names[name]
	n.asked[name]++
	n.mu.Unlock()

	reply := append([]byte(nil), query[:2]...)
	code := byte(0)
	if !known {
		code = 3 // no such name
	}
	reply = append(reply, 0x84|query[2]&1, 0x80|code, 0, 1, 0, 0, 0, 0, 0, 0)
	reply = append(reply, question...)
	for _, addr := range addresses {
		if kind == typeA && addr.Is4() || kind == typeAAAA && addr.Is6() {
			reply[7]++
			reply = append(reply, 0xc0, headLen)
			reply = append(reply, question[len(question)-4:]...)
			reply = append(reply, 0, 0, 0, 5, 0, byte(addr.BitLen()/8)) // for five seconds
			reply = append(reply, addr.AsSlice()...)
		}
	}
	return reply
}
