package datapath

import (
	"sstp/src/ppp"
	"sstp/src/sstp"
)

// framed is the result of frame: so much of the buffer is now SSTP packets.
type framed struct {
	len, packets, dropped int
}

// frame makes SSTP data packets of the packets that ReadPackets has laid into buf, in place. What must not pass is
// dropped and the rest moved together. A nil gate drops everything.
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

// passes says under which PPP protocol an IP packet of the device may be sent, if it may.
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
