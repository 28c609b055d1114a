package main

import (
	"fmt"
	"net"
	"time"

	"sstp/src/transport"
)

// smallPackets is the row of the figures of small packets.
const smallPackets = "small packets"

// datagrams measures the whole client with small packets there and back, one at a time and many at a time.
func (n *network) datagrams() error {
	server, err := n.serve("1.3", "CHACHA20_POLY1305")
	if err != nil {
		return err
	}
	defer server.End()
	for _, path := range []string{transport.PathGo, transport.PathKernel} {
		if err := n.datagramsOn(path); err != nil {
			return fmt.Errorf("the path %s: %w", path, err)
		}
	}
	return nil
}

func (n *network) datagramsOn(path string) error {
	p, _, _, err := n.up(path)
	if err != nil {
		return err
	}
	defer p.End()
	const size, warm, count = 64, 64, 640
	for _, window := range []int{1, 64} {
		var used [2]time.Duration // the difference is without what begins and ends a run
		for i, packets := range []int{warm, warm + count} {
			if used[i], err = timed(p, func() error { return exchange(size, packets, window) }); err != nil {
				return err
			}
		}
		result(smallPackets, fmt.Sprintf("%s %d", path, window), int64(used[1]-used[0])/count)
	}
	note("sent datagrams there and back on the path %s", path)
	return nil
}

// udpHeaders is the length of the headers of IPv4 and UDP.
const udpHeaders = 28

// serveEcho sends datagrams back.
func serveEcho() error {
	c, err := net.ListenPacket("udp", ":7")
	if err != nil {
		return err
	}
	go func() {
		for b := make([]byte, 2048); ; {
			n, from, err := c.ReadFrom(b)
			if err == nil {
				_, err = c.WriteTo(b[:n], from)
			}
			if err != nil {
				fmt.Println("the echo ended:", err)
				return
			}
		}
	}()
	return nil
}

// exchange sends packets of a size to the echo, as many at once as window says, and waits until all have come back before it
// sends the next.
func exchange(size, count, window int) error {
	c, err := net.Dial("udp", inside+":7")
	if err != nil {
		return err
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(patience))
	b := make([]byte, size-udpHeaders)
	for ; count > 0; count -= window {
		n := min(window, count)
		for range n {
			if _, err := c.Write(b); err != nil {
				return err
			}
		}
		for range n {
			if got, err := c.Read(b); err != nil || got != len(b) {
				return fmt.Errorf("%d bytes of %d came back: %w", got, len(b), err)
			}
		}
	}
	return nil
}
