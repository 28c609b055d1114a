package offload

import "encoding/binary"

// MaxUnreachable is the length of the longest answer that Unreachable makes, which every IPv6 path carries (RFC 4443
// section 2.4 c). An IPv4 answer has at most 576 bytes (RFC 1812 section 4.3.2.3).
const MaxUnreachable = 1280

const (
	maxUnreachable4 = 576

	icmp4, icmp6 = 1, 58
	icmpLen      = 8 // bytes of the ICMP or ICMPv6 header before the quoted packet

	unreachable4, prohibited4 = 3, 13 // RFC 792, RFC 1812 section 5.2.7.1
	unreachable6, prohibited6 = 1, 1  // RFC 4443 section 3.1

	echoRequest4, echoRequest6 = 8, 128
	internetControl            = 0xc0 // the precedence of ICMP errors (RFC 1812 section 4.3.2.5)
	hopLimit                   = 64
	maxHeaders                 = 8 // IPv6 extension headers that are followed
)

// Unreachable writes to dst the ICMP or ICMPv6 error that pkt is prohibited, so that its sender fails at once and does not
// wait. It returns the length of the error. dst must have room for MaxUnreachable bytes.
//
// Unreachable returns 0 when no error may be sent (RFC 1122 section 3.2.2, RFC 4443 section 2.4 e). That is so for every
// ICMP packet except an echo request, for a fragment that is not the first, for a source or destination that is not the
// address of one machine, and for an incomplete packet. So an error is never answered with an error.
//
// The source of the error is from. If from is zero, and always with IPv6, it is the destination of pkt, because the kernel
// accepts what comes back from where the packet went.
func Unreachable(dst, pkt []byte, from [4]byte) int {
	if len(pkt) == 0 {
		return 0
	}
	switch pkt[0] >> 4 {
	case 4:
		return unreachableIPv4(dst, pkt, from)
	case 6:
		return unreachableIPv6(dst, pkt)
	}
	return 0
}

func unreachableIPv4(dst, pkt []byte, from [4]byte) int {
	if len(pkt) < ip4Len {
		return 0
	}
	header, total := int(pkt[0]&15)*4, int(binary.BigEndian.Uint16(pkt[ip4TotalLen:]))
	if header < ip4Len || total < header || total > len(pkt) {
		return 0
	}
	pkt = pkt[:total]
	if binary.BigEndian.Uint16(pkt[ip4Fragment:])&0x1fff != 0 {
		return 0
	}
	source, target := pkt[ip4Addresses:ip4Addresses+4], pkt[ip4Addresses+4:ip4Addresses+8]
	if !unicast4(source) || !unicast4(target) {
		return 0
	}
	if pkt[ip4Protocol] == icmp4 && (total == header || pkt[header] != echoRequest4) {
		return 0
	}
	quoted := min(total, maxUnreachable4-ip4Len-icmpLen)
	a := dst[:ip4Len+icmpLen+quoted]
	clear(a[:ip4Len+icmpLen])
	a[0], a[1] = 4<<4|ip4Len/4, internetControl
	binary.BigEndian.PutUint16(a[ip4TotalLen:], uint16(len(a)))
	binary.BigEndian.PutUint16(a[ip4Fragment:], dontFragment)
	a[ip4TTL], a[ip4Protocol] = hopLimit, icmp4
	if from == [4]byte{} {
		from = [4]byte(target)
	}
	copy(a[ip4Addresses:], from[:])
	copy(a[ip4Addresses+4:], source)
	checksumIPv4(a[:ip4Len])
	body := a[ip4Len:]
	body[0], body[1] = unreachable4, prohibited4
	copy(body[icmpLen:], pkt[:quoted])
	binary.BigEndian.PutUint16(body[2:], ^Sum(body, 0))
	return len(a)
}

// unicast4 reports whether a can be the address of one machine: it is not in 0/8 or 127/8 and is below 224/4.
func unicast4(a []byte) bool { return a[0] != 0 && a[0] != 127 && a[0] < 224 }

func unreachableIPv6(dst, pkt []byte) int {
	if len(pkt) < ip6Len {
		return 0
	}
	total := ip6Len + int(binary.BigEndian.Uint16(pkt[ip6PayloadLen:]))
	if total > len(pkt) {
		return 0
	}
	pkt = pkt[:total]
	source, target := pkt[ip6Addresses:ip6Addresses+16], pkt[ip6Addresses+16:ip6Addresses+32]
	if !unicast6(source) || !unicast6(target) || !answerable6(pkt) {
		return 0
	}
	quoted := min(total, MaxUnreachable-ip6Len-icmpLen)
	a := dst[:ip6Len+icmpLen+quoted]
	clear(a[:ip6Len+icmpLen])
	a[0] = 6<<4 | internetControl>>4 // the lower half of the traffic class is zero
	binary.BigEndian.PutUint16(a[ip6PayloadLen:], uint16(icmpLen+quoted))
	a[ip6NextHeader], a[ip6HopLimit] = icmp6, hopLimit
	copy(a[ip6Addresses:], target)
	copy(a[ip6Addresses+16:], source)
	body := a[ip6Len:]
	body[0], body[1] = unreachable6, prohibited6
	copy(body[icmpLen:], pkt[:quoted])
	pseudo := add(pseudoSum(a[ip6Addresses:ip6Len], icmp6), uint16(len(body)))
	binary.BigEndian.PutUint16(body[2:], ^Sum(body, pseudo))
	return len(a)
}

// unicast6 reports whether a can be the address of one machine: it is not ::, ::1 or multicast.
func unicast6(a []byte) bool {
	if a[0] == 0xff {
		return false
	}
	for _, b := range a[:15] {
		if b != 0 {
			return true
		}
	}
	return a[15] > 1
}

// answerable6 follows the extension headers and reports whether pkt may be answered with an error.
func answerable6(pkt []byte) bool {
	next, at := pkt[ip6NextHeader], ip6Len
	for range maxHeaders {
		length := 0
		switch next {
		case icmp6:
			return at < len(pkt) && pkt[at] == echoRequest6
		case hopByHop, routing, destOptions, fragment, authentication:
			if at+8 > len(pkt) {
				return false
			}
			length = 8 + int(pkt[at+1])*8
			switch next {
			case fragment:
				if binary.BigEndian.Uint16(pkt[at+2:])&0xfff8 != 0 {
					return false
				}
				length = 8
			case authentication:
				length = 8 + int(pkt[at+1])*4
			}
		default:
			return true
		}
		next, at = pkt[at], at+length
	}
	return false
}
