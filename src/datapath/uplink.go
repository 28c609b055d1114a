package datapath

import (
	"errors"
	"os"
	"time"

	"sstp/src/fault"
	"sstp/src/ppp"
	"sstp/src/sstp"
)

const (
	// maxWrite is the plaintext of one TLS record (RFC 8446 section 5.1): a Write of no more makes one record.
	maxWrite = 16384
	// headroom is what stands before each IP packet in the stream.
	headroom = sstp.HeaderLen + ppp.HeaderLen
	// maxBatch is how many packets are taken at once; of the smallest ones that matter, TCP acknowledgements, 273 fill
	// a write.
	maxBatch = 512
	// writeTimeout is how long one write may take before the connection is taken for dead.
	writeTimeout = 30 * time.Second
)

// uplink moves packets from the device into the stream. It is the only writer of the stream.
func (p *Pumps) uplink() error {
	var (
		buf  = make([]byte, maxWrite)
		ends = make([]int, maxBatch)
		out  = writer{stream: p.stream}
		dev  Device // in use: its deadline has been taken back
	)
	for {
		g := p.gate.Load()
		if g != nil && g.dev != dev {
			dev = g.dev
			dev.SetReadDeadline(time.Time{})
		}
		if p.done() {
			return nil
		}
		if err := p.writeControl(&out); err != nil {
			return err
		}
		if g == nil {
			dev = nil
			select {
			case <-p.wake:
			case <-p.stop:
			case <-p.over:
			}
			continue
		}
		n, err := dev.ReadPackets(buf, headroom, ends)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			dev = nil // somebody has woken us: look at everything again
			continue
		}
		g = p.gate.Load() // it may have changed while we waited
		if err != nil {
			if g == nil || g.dev != dev {
				continue
			}
			return deviceError(err)
		}
		sent := g.frame(buf, ends[:n])
		if sent.dropped > 0 {
			p.counts.txDropped.Add(uint64(sent.dropped))
		}
		if sent.packets == 0 {
			continue
		}
		if err := p.writeControl(&out); err != nil {
			return err
		}
		if err := out.write(buf[:sent.len]); err != nil {
			return err
		}
		p.counts.txPackets.Add(uint64(sent.packets))
		p.counts.txBytes.Add(uint64(sent.len - sent.packets*headroom))
	}
}

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

// writeControl writes what Send has queued, whole packets in writes of at most maxWrite.
func (p *Pumps) writeControl(out *writer) error {
	buf, ends := p.queue.take()
	if ends == nil {
		return nil
	}
	start := 0
	for i, end := range ends {
		if i+1 == len(ends) || ends[i+1]-start > maxWrite {
			if err := out.write(buf[start:end]); err != nil {
				return err
			}
			start = end
		}
	}
	p.queue.done()
	return nil
}

// writer writes into the stream under a deadline.
type writer struct {
	stream Stream
	since  time.Time // when the deadline was last set
}

// write writes b. The deadline is moved at most once a second, which saves a timer for most writes and makes it between
// 29 and 30 seconds long.
func (w *writer) write(b []byte) error {
	if now := time.Now(); now.Sub(w.since) >= time.Second {
		if err := w.stream.SetWriteDeadline(now.Add(writeTimeout)); err != nil {
			return streamError(err)
		}
		w.since = now
	}
	if _, err := w.stream.Write(b); err != nil {
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return fault.New(fault.PeerSilent, fault.StageUp, "The server took no data for 30 seconds.").Wrap(err)
		}
		return streamError(err)
	}
	return nil
}
