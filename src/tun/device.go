// Package tun opens a TUN device, sets its name and MTU, and reads and writes it in batches. With offload the kernel hands
// over and takes super-packets with a virtio-net header, which package offload splits and merges. Without offload, or on a
// kernel that refuses it, packets pass one by one through songgao/water. This package does not set addresses, routes or
// link state.
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
	Name    string // at most 15 bytes; empty means that the kernel chooses
	MTU     int    // bytes; 0 means the kernel's default
	Offload bool   // use segmentation and checksum offload where the kernel has it
}

// Device is an open TUN device. The device exists as long as it is open. One goroutine may call ReadPackets while another
// one calls WritePackets, but neither may be called concurrently with itself. All other methods are safe for concurrent
// use.
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

// newDevice returns a Device that uses r and w on an open TUN file. The file must be in non-blocking mode.
func newDevice(file *os.File, name string, offload bool, r reader, w writer) (*Device, error) {
	raw, err := file.SyscallConn()
	if err != nil {
		return nil, err
	}
	d := &Device{name: name, offload: offload, file: file, raw: raw, reader: r}
	d.in.poll = func(fd uintptr) bool { return r.fill(int(fd), &d.in.batch) }
	d.out.poll = func(fd uintptr) bool {
		d.out.written, d.out.err = w.write(int(fd), d.out.pkts)
		return true // writing never waits: as on any link, what the kernel has no room for is lost
	}
	return d, nil
}

// Name returns the device's name.
func (d *Device) Name() string { return d.name }

// MTU returns the size of the largest IP packet in bytes, as Open or SetMTU has set it.
func (d *Device) MTU() int { return int(d.mtu.Load()) }

// Offload reports whether super-packets are in use, which needs Options.Offload and a kernel that supports them.
func (d *Device) Offload() bool { return d.offload }

// Dropped returns how many packets from the kernel have been dropped since the device was opened. They were larger than
// the buffer, or their virtio-net header did not fit them.
func (d *Device) Dropped() uint64 { return d.dropped.Load() }

// SetReadDeadline makes a waiting ReadPackets, and every later one, fail with os.ErrDeadlineExceeded once t has passed. The
// zero time clears the deadline.
func (d *Device) SetReadDeadline(t time.Time) error { return d.ioError(d.file.SetReadDeadline(t)) }

// Close removes the device. A waiting ReadPackets returns os.ErrClosed.
func (d *Device) Close() error {
	if d.closed.Swap(true) {
		return os.ErrClosed
	}
	return d.file.Close()
}

// ioError turns an error of the poller or the kernel into one that callers can tell apart.
func (d *Device) ioError(err error) error {
	switch {
	case err == nil, errors.Is(err, os.ErrDeadlineExceeded):
		return err
	case d.closed.Load():
		return os.ErrClosed
	}
	return failed(err, "The TUN device %s is gone: somebody has deleted it.", d.name)
}
