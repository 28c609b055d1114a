// Package datapath moves the bytes of one call: the uplink takes IP packets from the TUN device and writes them as SSTP
// data packets into the stream, the downlink reads the stream and hands IP packets to the device. Control packets of
// SSTP and of PPP pass through: outgoing ones go ahead of queued data, incoming ones are copied and delivered as
// events. The package decides nothing about the call, opens and closes nothing, and writes no log.
//
//	device → ReadPackets → SSTP and PPP headers in place → Write of at most 16 KiB → stream     one goroutine
//	session → Send ──────────── queue of 64 ────────────────┘ the only writer
//
//	stream → Read → sstp.Cut ─ IPv4, IPv6 → WritePackets → device                              one goroutine
//	                         └ all else, copied → deliver → session
//
// Nothing is allocated for a data packet in either direction. Nothing waits for more packets to come: a batch is what
// was readable at once.
//
// When the stream takes less than the device gives, a queue must form somewhere. In a TUN device it would be a long one
// with one line for all (Linux drops at its end and never holds the sender back, so no queueing discipline of the
// device's sees it). So while the uplink is held up in a write, a third goroutine reads the device into a FQ-CoDel queue
// (RFC 8290), from which the uplink then writes in small pieces, until it is empty and the uplink reads by itself again.
package datapath
