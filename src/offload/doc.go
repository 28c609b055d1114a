// Package offload does in software what a network card does for a kernel that hands over super-packets. It splits them
// into segments that fit the path, completes partial checksums, and merges segments of one flow into super-packets again.
// It works on byte slices and does no I/O.
//
// A super-packet is an IP packet of up to 64 KiB whose TCP or UDP payload is that of several packets. A virtio_net_hdr
// before it says how to cut it (virtio 1.2 section 5.1.6, Linux include/uapi/linux/virtio_net.h). The header is a claim
// like any other: whatever it says, nothing here reads or writes outside the packet.
package offload
