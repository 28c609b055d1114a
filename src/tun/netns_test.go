package tun

import (
	"net/netip"
	"os"
	"runtime"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// inNamespace runs f in a network namespace of its own, on a thread that dies with it. Sockets that f makes belong to
// the namespace; so do TUN devices, by the moment at which they are opened.
func inNamespace(t testing.TB, f func()) {
	t.Helper()
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine
		err := unix.Unshare(unix.CLONE_NEWNET)
		if err == nil {
			var fd int
			if fd, err = unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_CLOEXEC, 0); err == nil {
				unix.Close(fd)
			}
		}
		if err == nil {
			defer close(done) // runs too when f ends the goroutine by t.Fatal
			f()
			return
		}
		done <- err
	}()
	if err := <-done; err != nil {
		t.Skipf("needs root, network namespaces and /dev/net/tun: %v", err)
	}
}

// configure gives the device two addresses and sets it up.
func configure(t testing.TB, device string, v4, v6 netip.Prefix) {
	t.Helper()
	check := func(what string, err error) {
		if err != nil {
			t.Fatalf("%s of %s: %v", what, device, err)
		}
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	check("socket", err)
	defer unix.Close(fd)
	ioctl := func(what string, request uint, fill func(*unix.Ifreq)) {
		req, err := unix.NewIfreq(device)
		check("request", err)
		fill(req)
		check(what, unix.IoctlIfreq(fd, request, req))
	}
	ioctl("address", unix.SIOCSIFADDR, func(r *unix.Ifreq) { r.SetInet4Addr(v4.Addr().AsSlice()) })
	ioctl("netmask", unix.SIOCSIFNETMASK, func(r *unix.Ifreq) {
		mask := ^uint32(0) << (32 - v4.Bits())
		r.SetInet4Addr([]byte{byte(mask >> 24), byte(mask >> 16), byte(mask >> 8), byte(mask)})
	})
	if !v6.IsValid() { // or else the kernel's own neighbour discovery comes between; no IPv6 in the kernel is fine too
		os.WriteFile("/proc/sys/net/ipv6/conf/"+device+"/disable_ipv6", []byte("1"), 0)
	}
	ioctl("flags", unix.SIOCSIFFLAGS, func(r *unix.Ifreq) { r.SetUint16(unix.IFF_UP | unix.IFF_RUNNING) })
	if !v6.IsValid() {
		return
	}
	req, err := unix.NewIfreq(device)
	check("request", err)
	check("index", unix.IoctlIfreq(fd, unix.SIOCGIFINDEX, req))
	fd6, err := unix.Socket(unix.AF_INET6, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	check("IPv6 socket", err)
	defer unix.Close(fd6)
	req6 := struct { // struct in6_ifreq
		addr   [16]byte
		prefix uint32
		index  int32
	}{v6.Addr().As16(), uint32(v6.Bits()), int32(req.Uint32())}
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd6), unix.SIOCSIFADDR, uintptr(unsafe.Pointer(&req6)))
	if errno != 0 {
		t.Fatalf("IPv6 address of %s: %v", device, errno)
	}
}

// setDown takes the device down.
func setDown(t testing.TB, device string) {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	req, _ := unix.NewIfreq(device)
	if err := unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, req); err != nil {
		t.Fatal(err)
	}
}
