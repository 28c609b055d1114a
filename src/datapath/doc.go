// Package datapath moves the bytes of one call. The uplink takes IP packets from the TUN device and writes them to the
// stream as SSTP data packets. The downlink reads the stream and hands IP packets to the device. Control packets of SSTP
// and PPP pass through: outgoing ones go ahead of queued data, and incoming ones are copied and delivered as events. The
// package decides nothing about the call, opens and closes nothing, and writes no log.
//
//	device → ReadPackets → SSTP and PPP headers in place → Write of at most 16 KiB → stream     one goroutine
//	session → Send ──────────── queue of 64 ────────────────┘ the only writer
//
//	stream → Read → sstp.Cut ─ IPv4, IPv6 → WritePackets → device                              one goroutine
//	                         └ all else, copied → deliver → session
//
// Nothing is allocated for a data packet in either direction. Nothing waits for more packets: a batch is what was
// readable at once.
//
// When the stream takes less than the device gives, a queue must form somewhere. The queue of a TUN device would be long
// and shared by all flows. Linux drops at its end and never holds the sender back, so no queueing discipline of the
// device sees it. Therefore a third goroutine reads the device into an FQ-CoDel queue (RFC 8290) while the uplink is
// blocked in a write. The uplink then writes from that queue in small pieces. When the queue is empty, the uplink reads
// the device by itself again.
package datapath
