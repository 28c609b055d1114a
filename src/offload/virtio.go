package offload

import "encoding/binary"

// HeaderLen is the size of a Header in front of each packet of a TUN device with IFF_VNET_HDR.
const HeaderLen = 10

// Flags of a Header.
const (
	FlagNeedsChecksum = 1 // VIRTIO_NET_HDR_F_NEEDS_CSUM: the checksum field holds only the pseudo header's sum
)

// The values of GSOType, and the flag that may be set in it.
const (
	GSONone  = 0    // VIRTIO_NET_HDR_GSO_NONE
	GSOTCPv4 = 1    // VIRTIO_NET_HDR_GSO_TCPV4
	GSOTCPv6 = 4    // VIRTIO_NET_HDR_GSO_TCPV6
	GSOUDP   = 5    // VIRTIO_NET_HDR_GSO_UDP_L4
	GSOECN   = 0x80 // VIRTIO_NET_HDR_GSO_ECN: CWR is for the first segment only
)

// Header is the kernel's struct virtio_net_hdr. It describes the work on a packet that the kernel has left to the reader.
type Header struct {
	Flags          uint8
	GSOType        uint8
	HeaderLen      uint16 // bytes of all headers of the packet; only a hint
	GSOSize        uint16 // payload bytes in each segment
	ChecksumStart  uint16 // offset of the first byte to sum
	ChecksumOffset uint16 // offset of the checksum field, counted from ChecksumStart
}

// Get reads a header from b[:HeaderLen] in the machine's byte order. TUN devices use it unless TUNSETVNETLE or TUNSETVNETBE
// has been called.
func (h *Header) Get(b []byte) {
	_ = b[HeaderLen-1]
	h.Flags, h.GSOType = b[0], b[1]
	h.HeaderLen = binary.NativeEndian.Uint16(b[2:])
	h.GSOSize = binary.NativeEndian.Uint16(b[4:])
	h.ChecksumStart = binary.NativeEndian.Uint16(b[6:])
	h.ChecksumOffset = binary.NativeEndian.Uint16(b[8:])
}

// Put writes the header to b[:HeaderLen].
func (h *Header) Put(b []byte) {
	_ = b[HeaderLen-1]
	b[0], b[1] = h.Flags, h.GSOType
	binary.NativeEndian.PutUint16(b[2:], h.HeaderLen)
	binary.NativeEndian.PutUint16(b[4:], h.GSOSize)
	binary.NativeEndian.PutUint16(b[6:], h.ChecksumStart)
	binary.NativeEndian.PutUint16(b[8:], h.ChecksumOffset)
}
