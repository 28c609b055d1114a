// Package auth authenticates the two ends of a PPP link to each other: PAP (RFC 1334),
// CHAP-MD5 (RFC 1994), MS-CHAPv2 (RFC 2759) and EAP (RFC 3748) with the methods MD5, MS-CHAPv2
// (draft-kamath-pppext-eap-mschapv2) and TLS (RFC 5216, RFC 9190). Both roles are here: Peer is the client that is asked,
// Authenticator the server that asks. Each takes packets and the time and returns what to do; neither opens a
// connection, starts a goroutine, reads a clock or writes a log. LCP, which agrees on the protocol, is not in it, nor is
// SSTP's crypto binding ([MS-SSTP] 3.2.5.2), for which a Success carries the key.
package auth

import (
	"strconv"

	"sstp/src/fault"
)

// Method is a method of authentication, named as in option auth.
type Method string

// The methods. EAPMD5 stands only in a Success and is no value of the option: EAP-MD5 is as weak as CHAP-MD5, and is used
// exactly where CHAP is allowed and LCP agreed on EAP.
const (
	EAPTLS      Method = "eap-tls"
	MSCHAPv2    Method = "mschapv2"
	EAPMSCHAPv2 Method = "eap-mschapv2"
	CHAP        Method = "chap"
	PAP         Method = "pap"
	EAPMD5      Method = "eap-md5"
)

// The PPP protocol numbers of the authentication protocols, and the algorithms that LCP distinguishes under CHAP
// (RFC 1661 section 6.2, RFC 2759 section 4).
const (
	protocolPAP  = 0xc023
	protocolCHAP = 0xc223
	protocolEAP  = 0xc227

	algorithmMD5      = 0x05
	algorithmMSCHAPv1 = 0x80 // known by name alone
	algorithmMSCHAPv2 = 0x81
)

// LCPAuth is what LCP's option 3 agrees on: a protocol and, for CHAP, an algorithm. The zero value is no
// authentication.
type LCPAuth struct {
	Protocol  uint16
	Algorithm uint8
}

// String returns the protocol's usual name.
func (l LCPAuth) String() string {
	switch l {
	case LCPAuth{}:
		return "no authentication"
	case LCPAuth{protocolPAP, 0}:
		return "PAP"
	case LCPAuth{protocolCHAP, algorithmMD5}:
		return "CHAP-MD5"
	case LCPAuth{protocolCHAP, algorithmMSCHAPv1}:
		return "MS-CHAPv1"
	case LCPAuth{protocolCHAP, algorithmMSCHAPv2}:
		return "MS-CHAPv2"
	case LCPAuth{protocolEAP, 0}:
		return "EAP"
	}
	text := "authentication protocol 0x" + strconv.FormatUint(uint64(l.Protocol), 16)
	if l.Algorithm != 0 {
		text += "/0x" + strconv.FormatUint(uint64(l.Algorithm), 16)
	}
	return text
}

// LCP returns the protocol and the algorithm that LCP must agree on for the method; zero for an unknown method.
func (m Method) LCP() (protocol uint16, algorithm uint8) {
	switch m {
	case PAP:
		return protocolPAP, 0
	case CHAP:
		return protocolCHAP, algorithmMD5
	case MSCHAPv2:
		return protocolCHAP, algorithmMSCHAPv2
	case EAPTLS, EAPMSCHAPv2, EAPMD5:
		return protocolEAP, 0
	}
	return 0, 0
}

// LCPProtocols returns what LCP may agree on for the methods, each once, in the order of the methods.
func LCPProtocols(methods []Method) []LCPAuth {
	var list []LCPAuth
next:
	for _, m := range methods {
		var l LCPAuth
		l.Protocol, l.Algorithm = m.LCP()
		if l == (LCPAuth{}) {
			continue
		}
		for _, have := range list {
			if have == l {
				continue next
			}
		}
		list = append(list, l)
	}
	return list
}

// Kind is what an Action asks for or reports.
type Kind uint8

// The kinds of Action.
const (
	Send    Kind = iota + 1 // send Data, a PAP, CHAP or EAP packet
	Success                 // authentication has succeeded: HLAK, Method and User (Authenticator) are set
	Failure                 // authentication has failed: Err is the reason, By is who refused
)

// Action is one thing that the caller must do, in the order returned. Success comes at most once, Failure at most once
// and as the last action of all.
type Action struct {
	Kind   Kind
	Data   []byte       // Send: the packet, the caller's to keep
	HLAK   [32]byte     // Success: the higher layer authentication key of [MS-SSTP] 3.2.5.2; zero where the method has none
	Method Method       // Success: what was used; empty where nothing was asked for
	User   string       // Success, Authenticator: the name that the peer gave
	Err    *fault.Error // Failure
	By     fault.Party  // Failure
}
