// Package datapath moves the bytes of one call: the uplink takes IP packets from the TUN device and writes them as SSTP
// data packets into the stream, the downlink reads the stream and hands IP packets to the device. Control packets of
// SSTP and of PPP pass through: outgoing ones go ahead of queued data, incoming ones are copied and delivered as
// events. The package decides nothing about the call, opens and closes nothing, and writes no log.
//
// A Pumps is made for one stream. Whoever made it closes the stream and then calls Stop; the device belongs to the caller too and
// may be used by the next call.
package datapath
