package datapath

import (
	"io"
	"time"
)

// Stream is the connection to the server after the HTTP opening: a TLS connection, or a socket with kernel TLS.
type Stream interface {
	io.Reader
	io.Writer
	SetWriteDeadline(t time.Time) error
}

// Device is a TUN device; *tun.Device is one.
type Device interface {
	// ReadPackets blocks until a packet is there, then takes what is readable without waiting. Packet i is
	// buf[ends[i-1]+room : ends[i]].
	ReadPackets(buf []byte, room int, ends []int) (n int, err error)
	// WritePackets writes in order and may change the packets' bytes. A packet that the kernel refuses is skipped;
	// err is only set when the device is gone.
	WritePackets(pkts [][]byte) (written int, err error)
	// SetReadDeadline ends a ReadPackets that waits, with os.ErrDeadlineExceeded.
	SetReadDeadline(t time.Time) error
}

// EventKind says what an Event is.
type EventKind uint8

const (
	// ControlPacket carries a packet that is not for the device: SSTP control, or data with a PPP frame other than IP.
	ControlPacket EventKind = iota
	// Ended is the last event of a Pumps: the stream or the device has failed.
	Ended
)

// Event is what the pumps tell their owner.
type Event struct {
	Kind   EventKind
	Packet []byte // ControlPacket: a whole SSTP packet; the receiver owns it
	Err    error  // Ended: a *fault.Error
}

// Counters are a picture of the traffic. Bytes and packets are IP as the device sees them.
type Counters struct {
	RxBytes, TxBytes     uint64
	RxPackets, TxPackets uint64
	RxDropped, TxDropped uint64
	StreamRxBytes        uint64 // every byte that came out of the stream: any of them is a sign of life
}

// Pumps are the two goroutines of one call.
type Pumps struct {
	stream  Stream
	deliver func(Event)
}

// New returns pumps that stand still.
func New(stream Stream, deliver func(Event)) *Pumps {
	return &Pumps{stream: stream, deliver: deliver}
}

// Start starts the uplink and the downlink.
func (p *Pumps) Start() {}

// Send queues one whole SSTP packet, which goes out ahead of data. The packet is copied.
func (p *Pumps) Send(pkt []byte) bool { return false }

// Open lets IP flow between the stream and dev.
func (p *Pumps) Open(dev Device, mtu int, v4, v6 bool) {}

// CloseGate stops the flow of IP; control packets go on.
func (p *Pumps) CloseGate() {}

// Counters returns the counters as they are now.
func (p *Pumps) Counters() Counters { return Counters{} }

// Drain waits until everything queued by Send has been written, at most for timeout, and reports whether it was.
func (p *Pumps) Drain(timeout time.Duration) bool { return false }

// Stopping is closed when Stop begins.
func (p *Pumps) Stopping() <-chan struct{} { return nil }

// Stop ends both goroutines and waits for them. The stream must have been closed.
func (p *Pumps) Stop() {}
