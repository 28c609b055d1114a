package main

import (
	"fmt"

	"sstp/src/ppp"
	"sstp/src/sstp"
)

// The names of the codes that begin a packet, by protocol ([RFC 1661] 5, [RFC 1334] 2.2, [RFC 1994] 4, [RFC 3748] 4).
var (
	controlCodes = []string{"", "Configure-Request", "Configure-Ack", "Configure-Nak", "Configure-Reject", "Terminate-Request",
		"Terminate-Ack", "Code-Reject", "Protocol-Reject", "Echo-Request", "Echo-Reply", "Discard-Request", "Identification"}
	papCodes  = []string{"", "Authenticate-Request", "Authenticate-Ack", "Authenticate-Nak"}
	chapCodes = []string{"", "Challenge", "Response", "Success", "Failure"}
	eapCodes  = []string{"", "Request", "Response", "Success", "Failure"}
)

// describe is a packet as a line of the trace: direction, what it is, and all of its bytes.
func describe(sent bool, pkt []byte) string {
	arrow := "<"
	if sent {
		arrow = ">"
	}
	return fmt.Sprintf("%s %s %x", arrow, title(pkt), pkt)
}

func title(pkt []byte) string {
	if sstp.IsControl(pkt) {
		m, _ := sstp.ParseControl(pkt)
		return m.Type.String()
	}
	p, info, err := ppp.CutHeader(sstp.Payload(pkt))
	if err != nil || len(info) < 2 {
		return "data that is no PPP frame"
	}
	codes := controlCodes
	switch p {
	case ppp.ProtoPAP:
		codes = papCodes
	case ppp.ProtoCHAP:
		codes = chapCodes
	case ppp.ProtoEAP:
		codes = eapCodes
	}
	code := fmt.Sprintf("code %d", info[0])
	if n := int(info[0]); n > 0 && n < len(codes) {
		code = codes[n]
	}
	return fmt.Sprintf("%v %s id=%d", p, code, info[1])
}
