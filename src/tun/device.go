// Package tun is the TUN device: opened, named and sized here, read and written in batches. With offload the kernel
// hands over and takes super-packets (virtio-net header), which package offload splits and merges; without it, or on a
// kernel that refuses, packets pass one by one through songgao/water. Addresses, routes and the device's being up are
// not of this package.
package tun

import (
	"os"
	"time"
)

// Options say how to open a device.
type Options struct {
	Name    string // at most 15 bytes; empty: the kernel chooses
	MTU     int    // bytes; 0: as the kernel has it
	Offload bool   // use segmentation and checksum offload where the kernel has it
}

// Device is an open TUN device, which exists as long as it is open.
type Device struct {
	name string
	mtu  int
}

// Open creates a TUN device. The error is a *fault.Error with code TUN_FAILED.
func Open(o Options) (*Device, error) { return nil, os.ErrInvalid }

// Name returns the device's name.
func (d *Device) Name() string { return d.name }

// MTU returns the largest IP packet in bytes.
func (d *Device) MTU() int { return d.mtu }

// SetMTU changes the device's MTU.
func (d *Device) SetMTU(mtu int) error { return nil }

// ReadPackets blocks until a packet is there, then takes what is readable without waiting.
func (d *Device) ReadPackets(buf []byte, room int, ends []int) (n int, err error) { return 0, nil }

// WritePackets writes packets in order.
func (d *Device) WritePackets(pkts [][]byte) (written int, err error) { return 0, nil }

// SetReadDeadline ends a waiting ReadPackets.
func (d *Device) SetReadDeadline(t time.Time) error { return nil }

// Close removes the device.
func (d *Device) Close() error { return nil }
