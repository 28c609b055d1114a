package datapath

import (
	"sstp/src/ppp"
	"sstp/src/sstp"
)

const (
	// maxRead is how much is taken from the stream at once: with Go's TLS one record of 16 KiB, with kernel TLS what
	// the socket holds.
	maxRead = 64 << 10
	// muchRead is how long a read has to be for more to be asked for before its packets are written: so long are those
	// of bulk data, and nobody else should wait.
	muchRead = 8 << 10
	// maxWritten is how many packets go to the device in one call.
	maxWritten = 512
)

// downlink moves packets from the stream to the device and delivers all others.
func (p *Pumps) downlink() error {
	var (
		buf   = make([]byte, maxRead+sstp.MaxPacketLen)
		begun = 0 // bytes at the start of buf: a packet whose end has not come yet
		in    = incoming{p: p, pkts: make([][]byte, 0, maxWritten)}
	)
	for {
		n, readErr := p.stream.Read(buf[begun:])
		// A second record makes the super-packets larger, and the kernel's work for each of them does not grow.
		for last := n; last >= muchRead && readErr == nil && begun+n+maxWrite <= len(buf) && p.batch.Ready(); n += last {
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
	pkts    [][]byte // for gate's device; they alias the read buffer
	bytes   int
	dropped int
	heard   bool // a packet has come: the peer does speak SSTP
}

// take handles all whole packets of b and returns what is left.
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

// sort puts one packet where it belongs.
func (in *incoming) sort(pkt []byte) error {
	if !sstp.IsControl(pkt) {
		frame := sstp.Payload(pkt)
		if len(frame) == 0 {
			return nil // legal, and means nothing
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
	// What came before a control packet is through before it acts, and what comes after meets the gate as it is then.
	if err := in.flush(); err != nil {
		return err
	}
	in.p.tell(pkt)
	in.gate = in.p.gate.Load()
	return nil
}

// flush writes what has been gathered to the device and counts.
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
			c.rxBytes.Add(uint64(in.bytes)) // of one that the device refused too: it does not say which
		}
		clear(in.pkts)
	}
	if dropped > 0 {
		c.rxDropped.Add(uint64(dropped))
	}
	in.pkts, in.bytes, in.dropped = in.pkts[:0], 0, 0
	if err != nil {
		if now := in.p.gate.Load(); now == nil || now.dev != in.gate.dev {
			return nil // taken away from us and closed: no failure
		}
		return deviceError(err)
	}
	return nil
}
