package datapath

import (
	"sstp/src/ppp"
	"sstp/src/sstp"
)

// framed is the result of frame. The first len bytes of the buffer are SSTP packets now.
type framed struct {
	len, packets, dropped int
}

// frame turns the packets that ReadPackets put into buf into SSTP data packets, in place. It drops what must not pass and
// closes the gaps. A nil gate drops everything.
func (g *gate) frame(buf []byte, ends []int) framed {
	var f framed
	start := 0
	for _, end := range ends {
		pkt := buf[start+headroom : end]
		protocol, ok := g.passes(pkt)
		if !ok || len(pkt) > g.mtu {
			f.dropped++
			start = end
			continue
		}
		if f.len != start {
			copy(buf[f.len+headroom:], pkt)
		}
		sstp.PutDataHeader(buf[f.len:], ppp.HeaderLen+len(pkt))
		ppp.PutHeader(buf[f.len+sstp.HeaderLen:], protocol)
		f.len += end - start
		f.packets++
		start = end
	}
	return f
}

// passes returns the PPP protocol of an IP packet and reports whether the gate lets the packet through.
func (g *gate) passes(pkt []byte) (ppp.Protocol, bool) {
	if g == nil || len(pkt) == 0 {
		return 0, false
	}
	switch pkt[0] >> 4 {
	case 4:
		return ppp.ProtoIPv4, g.v4
	case 6:
		return ppp.ProtoIPv6, g.v6
	}
	return 0, false
}
