// Package tun is the TUN device: opened, named and sized here, read and written in batches. With offload the kernel
// hands over and takes super-packets (virtio-net header), which package offload splits and merges; without it, or on a
// kernel that refuses, packets pass one by one through songgao/water. Addresses, routes and the device's being up are
// not of this package.
package tun

import (
	"errors"
	"os"
	"sync/atomic"
	"syscall"
	"time"
)

// Options say how to open a device.
type Options struct {
	Name    string // at most 15 bytes; empty: the kernel chooses
	MTU     int    // bytes; 0: as the kernel has it
	Offload bool   // use segmentation and checksum offload where the kernel has it
}

// Device is an open TUN device, which exists as long as it is open. One goroutine may read while another one writes;
// neither ReadPackets nor WritePackets may be called twice at a time. The other methods may be called by anyone.
type Device struct {
	name    string
	offload bool
	mtu     atomic.Int64
	closed  atomic.Bool
	dropped atomic.Uint64
	file    *os.File
	raw     syscall.RawConn
	reader  reader
	in      readCall
	out     writeCall
}

// newDevice makes a Device of an open TUN file, which must be in non-blocking mode, and of the two ways to use it.
func newDevice(file *os.File, name string, offload bool, r reader, w writer) (*Device, error) {
	raw, err := file.SyscallConn()
	if err != nil {
		return nil, err
	}
	d := &Device{name: name, offload: offload, file: file, raw: raw, reader: r}
	d.in.poll = func(fd uintptr) bool { return r.fill(int(fd), &d.in.batch) }
	d.out.poll = func(fd uintptr) bool {
		d.out.written, d.out.err = w.write(int(fd), d.out.pkts)
		return true // what the kernel has no room for is lost, as on any link: writing never waits
	}
	return d, nil
}

// Name returns the device's name.
func (d *Device) Name() string { return d.name }

// MTU returns the largest IP packet in bytes, as Open or SetMTU has set it.
func (d *Device) MTU() int { return int(d.mtu.Load()) }

// Offload reports whether super-packets are in use: they were asked for and the kernel has them.
func (d *Device) Offload() bool { return d.offload }

// Dropped returns how many packets of the kernel's could not be used since the device was opened: larger than there is
// room for, or with a virtio-net header that does not fit the packet.
func (d *Device) Dropped() uint64 { return d.dropped.Load() }

// SetReadDeadline ends a ReadPackets that waits, and every later one, with os.ErrDeadlineExceeded when t comes. The zero
// time takes the deadline back.
func (d *Device) SetReadDeadline(t time.Time) error { return d.ioError(d.file.SetReadDeadline(t)) }

// Close removes the device and ends a ReadPackets that waits with os.ErrClosed.
func (d *Device) Close() error {
	if d.closed.Swap(true) {
		return os.ErrClosed
	}
	return d.file.Close()
}

// ioError turns what the poller and the kernel say into an error that callers can tell apart.
func (d *Device) ioError(err error) error {
	switch {
	case err == nil, errors.Is(err, os.ErrDeadlineExceeded):
		return err
	case d.closed.Load():
		return os.ErrClosed
	}
	return failed("The TUN device "+d.name+" is gone: somebody has deleted it.", err)
}
