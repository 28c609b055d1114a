// Package ppp is the Point-to-Point Protocol in user space: framing, the option negotiation automaton, LCP, IPCP and
// IPV6CP, in the role of the client and of the server. It follows RFC 1661, 1332, 1877 and 5072 and differs from them
// where servers in the field ask for it; each such place names the server.
//
// The package computes only. A Link is told the time and which frame arrived, and returns what to do. It opens nothing,
// starts no goroutine, reads no clock and writes no log. It does not authenticate: a Link returns which protocol was
// agreed and the packets of that protocol, and waits for Authenticated. It does not carry IP packets either: CutHeader and
// PutHeader are for the data path, which may run between IPv4Up or IPv6Up and its Down.
package ppp

import "fmt"

// Protocol is the number of the protocol that a PPP frame carries (RFC 1661 section 2).
type Protocol uint16

// The protocols that have a name here. CCP, CBCP and all that have no name are answered with a Protocol-Reject.
const (
	ProtoIPv4   Protocol = 0x0021
	ProtoIPv6   Protocol = 0x0057
	ProtoIPCP   Protocol = 0x8021
	ProtoIPV6CP Protocol = 0x8057
	ProtoLCP    Protocol = 0xc021
	ProtoPAP    Protocol = 0xc023
	ProtoCHAP   Protocol = 0xc223
	ProtoEAP    Protocol = 0xc227
	ProtoCCP    Protocol = 0x80fd
	ProtoCBCP   Protocol = 0xc029
)

// String returns the protocol's short name, or its number.
func (p Protocol) String() string {
	switch p {
	case ProtoIPv4:
		return "IPv4"
	case ProtoIPv6:
		return "IPv6"
	case ProtoIPCP:
		return "IPCP"
	case ProtoIPV6CP:
		return "IPV6CP"
	case ProtoLCP:
		return "LCP"
	case ProtoPAP:
		return "PAP"
	case ProtoCHAP:
		return "CHAP"
	case ProtoEAP:
		return "EAP"
	case ProtoCCP:
		return "CCP"
	case ProtoCBCP:
		return "CBCP"
	}
	return fmt.Sprintf("0x%04x", uint16(p))
}

// Algorithms of CHAP as LCP names them (RFC 1994, 2433, 2759).
const (
	AlgorithmMD5      uint8 = 0x05
	AlgorithmMSCHAP   uint8 = 0x80
	AlgorithmMSCHAPv2 uint8 = 0x81
)

// AuthProtocol is what LCP's authentication option names. Algorithm belongs to CHAP only and is 0 for the others. The
// zero value means no authentication.
type AuthProtocol struct {
	Protocol  Protocol
	Algorithm uint8
}

// String returns the method's name as users know it.
func (a AuthProtocol) String() string {
	switch a {
	case AuthProtocol{}:
		return "none"
	case AuthProtocol{ProtoCHAP, AlgorithmMD5}:
		return "CHAP-MD5"
	case AuthProtocol{ProtoCHAP, AlgorithmMSCHAP}:
		return "MS-CHAPv1"
	case AuthProtocol{ProtoCHAP, AlgorithmMSCHAPv2}:
		return "MS-CHAPv2"
	}
	if a.Protocol == ProtoCHAP {
		return fmt.Sprintf("CHAP with algorithm 0x%02x", a.Algorithm)
	}
	return a.Protocol.String()
}
