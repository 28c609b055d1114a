package datapath

import (
	"sstp/src/ppp"
	"sstp/src/sstp"
)

const (
	// maxRead is the most that one Read takes from the stream. Go's TLS returns one record of 16 KiB, kernel TLS what the
	// socket holds.
	maxRead = 64 << 10
	// bulkRead is the length of a read that is followed by another before its packets are written. Only bulk data comes
	// in reads this long, and nothing else should wait.
	bulkRead = 8 << 10
	// maxWritten is how many packets go to the device in one call.
	maxWritten = 512
)

// downlink moves IP packets from the stream to the device and delivers all other packets.
func (p *Pumps) downlink() error {
	var (
		buf   = make([]byte, maxRead+sstp.MaxPacketLen)
		begun = 0 // bytes at the start of buf that belong to an incomplete packet
		in    = incoming{p: p, pkts: make([][]byte, 0, maxWritten)}
	)
	for {
		n, readErr := p.stream.Read(buf[begun:])
		// A second record makes the super-packets larger. The kernel's work for each of them stays the same.
		for last := n; last >= bulkRead && readErr == nil && begun+n+maxWrite <= len(buf) && p.batch.Ready(); n += last {
			last, readErr = p.stream.Read(buf[begun+n:])
		}
		p.counts.streamRxBytes.Add(uint64(n))
		rest, err := in.take(buf[:begun+n])
		if err == nil && readErr != nil {
			err = streamError(readErr)
		}
		if err != nil {
			return err
		}
		begun = copy(buf, rest)
	}
}

// incoming sorts the packets of one Read.
type incoming struct {
	p       *Pumps
	gate    *gate
	pkts    [][]byte // for the gate's device; they alias the read buffer
	bytes   int
	dropped int
	heard   bool // a packet has come, so the peer does speak SSTP
}

// take handles all whole packets in b and returns the rest.
func (in *incoming) take(b []byte) (rest []byte, err error) {
	in.gate = in.p.gate.Load()
	for {
		pkt, rest, cutErr := sstp.Cut(b)
		if pkt == nil {
			err := in.flush()
			if err == nil && cutErr != nil {
				err = framingError(cutErr, in.heard)
			}
			return rest, err
		}
		b, in.heard = rest, true
		if err := in.sort(pkt); err != nil {
			return b, err
		}
	}
}

// sort queues an IP packet for the device and delivers any other packet.
func (in *incoming) sort(pkt []byte) error {
	if !sstp.IsControl(pkt) {
		frame := sstp.Payload(pkt)
		if len(frame) == 0 {
			return nil // legal, without meaning
		}
		protocol, info, err := ppp.CutHeader(frame)
		switch {
		case err != nil:
			in.dropped++
			return nil
		case protocol == ppp.ProtoIPv4, protocol == ppp.ProtoIPv6:
			if want, ok := in.gate.passes(info); !ok || protocol != want {
				in.dropped++
				return nil
			}
			in.pkts = append(in.pkts, info)
			in.bytes += len(info)
			if len(in.pkts) < maxWritten {
				return nil
			}
			return in.flush()
		}
	}
	// The packets before a control packet reach the device before it acts. Those after it meet the gate that it leaves.
	if err := in.flush(); err != nil {
		return err
	}
	in.p.tell(pkt)
	in.gate = in.p.gate.Load()
	return nil
}

// flush writes the queued packets to the device and counts them.
func (in *incoming) flush() error {
	c := &in.p.counts
	dropped := in.dropped
	var err error
	if len(in.pkts) > 0 {
		var n int
		n, err = in.gate.dev.WritePackets(in.pkts)
		dropped += len(in.pkts) - n
		if n > 0 {
			c.rxPackets.Add(uint64(n))
			c.rxBytes.Add(uint64(in.bytes)) // refused packets too: the device does not say which they are
		}
		clear(in.pkts)
	}
	if dropped > 0 {
		c.rxDropped.Add(uint64(dropped))
	}
	in.pkts, in.bytes, in.dropped = in.pkts[:0], 0, 0
	if err != nil {
		if now := in.p.gate.Load(); now == nil || now.dev != in.gate.dev {
			return nil // the owner has taken the device away: no failure
		}
		return deviceError(err)
	}
	return nil
}
