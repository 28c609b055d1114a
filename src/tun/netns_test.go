package tun

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// enter gives the calling goroutine a thread and the thread a network namespace, until the goroutine ends.
func enter() error {
	runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		return err
	}
	fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	unix.Close(fd)
	// Under user-mode emulation of a machine of the other byte order netlink is as foreign as the virtio-net header.
	_, err = net.Interfaces()
	return err
}

func skipWithout(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Skipf("needs root, network namespaces and /dev/net/tun: %v", err)
	}
}

// inNamespace runs f in a network namespace of its own. Sockets that f makes belong to the namespace; so do TUN
// devices, by the moment at which they are opened.
func inNamespace(t testing.TB, f func()) {
	t.Helper()
	done := make(chan error)
	go func() {
		err := enter()
		if err == nil {
			defer close(done) // runs too when f ends the goroutine by t.Fatal
			f()
			return
		}
		done <- err
	}()
	skipWithout(t, <-done)
}

// namespace is a network namespace whose thread does what it is told.
type namespace chan func()

func newNamespace(t testing.TB) namespace {
	t.Helper()
	n, ready := make(namespace), make(chan error)
	go func() {
		ready <- enter()
		for f := range n {
			f()
		}
	}()
	t.Cleanup(func() { close(n) })
	skipWithout(t, <-ready)
	return n
}

// do runs f on the namespace's thread.
func (n namespace) do(f func() error) error {
	done := make(chan error)
	n <- func() { done <- f() }
	return <-done
}

// configure gives the device one or two addresses and sets it up.
func configure(t testing.TB, device string, v4, v6 netip.Prefix) {
	t.Helper()
	if err := setUpLink(device, v4, v6); err != nil {
		t.Fatalf("%s: %v", device, err)
	}
}

func setUpLink(device string, v4, v6 netip.Prefix) error {
	ifi, err := net.InterfaceByName(device)
	if err != nil {
		return err
	}
	if !v6.IsValid() { // or else the kernel's own neighbour discovery comes between; no IPv6 in the kernel is fine too
		os.WriteFile("/proc/sys/net/ipv6/conf/"+device+"/disable_ipv6", []byte("1"), 0)
	}
	for _, address := range []netip.Prefix{v4, v6} {
		if !address.IsValid() {
			continue
		}
		family := byte(unix.AF_INET)
		if address.Addr().Is6() {
			family = unix.AF_INET6
		}
		// struct ifaddrmsg, then IFA_LOCAL. Without detection of duplicates the address can be used at once.
		msg := []byte{family, byte(address.Bits()), unix.IFA_F_NODAD, unix.RT_SCOPE_UNIVERSE}
		msg = binary.NativeEndian.AppendUint32(msg, uint32(ifi.Index))
		value := address.Addr().AsSlice()
		msg = binary.NativeEndian.AppendUint16(msg, uint16(4+len(value)))
		msg = binary.NativeEndian.AppendUint16(msg, unix.IFA_LOCAL)
		if err := rtnetlink(unix.RTM_NEWADDR, unix.NLM_F_CREATE|unix.NLM_F_EXCL, append(msg, value...)); err != nil {
			return err
		}
	}
	if err := setFlags(ifi.Index, unix.IFF_UP); err != nil || !v6.IsValid() {
		return err
	}
	return waitForRoute(v6.Addr())
}

// waitForRoute waits until packets to an IPv6 address of ours are taken: the kernel makes the route a little later than
// the address, and tells nobody.
func waitForRoute(a netip.Addr) error {
	local := fmt.Sprintf("%x 80 ", a.As16())
	for begun := time.Now(); time.Since(begun) < 5*time.Second; time.Sleep(time.Millisecond) {
		routes, err := os.ReadFile("/proc/thread-self/net/ipv6_route")
		if err != nil || strings.Contains(string(routes), local) {
			return err
		}
	}
	return errors.New("no route to " + a.String())
}

// setFlags sets the device up, with IFF_UP, or down.
func setFlags(index int, flags uint32) error {
	msg := make([]byte, 4, unix.SizeofIfInfomsg) // struct ifinfomsg
	msg = binary.NativeEndian.AppendUint32(msg, uint32(index))
	msg = binary.NativeEndian.AppendUint32(msg, flags)
	msg = binary.NativeEndian.AppendUint32(msg, unix.IFF_UP)
	return rtnetlink(unix.RTM_NEWLINK, 0, msg)
}

// deleteLink deletes an interface as "ip link delete" does.
func deleteLink(index int) error {
	msg := make([]byte, unix.SizeofIfInfomsg)
	binary.NativeEndian.PutUint32(msg[4:], uint32(index))
	return rtnetlink(unix.RTM_DELLINK, 0, msg)
}

// rtnetlink sends one request and waits until it is done.
func rtnetlink(kind uint16, flags uint16, body []byte) error {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_ROUTE)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	msg := binary.NativeEndian.AppendUint32(nil, uint32(unix.SizeofNlMsghdr+len(body)))
	msg = binary.NativeEndian.AppendUint16(msg, kind)
	msg = binary.NativeEndian.AppendUint16(msg, flags|unix.NLM_F_REQUEST|unix.NLM_F_ACK)
	msg = append(append(msg, 0, 0, 0, 0, 0, 0, 0, 0), body...)
	if err := unix.Sendto(fd, msg, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return err
	}
	reply := make([]byte, 4096)
	n, _, err := unix.Recvfrom(fd, reply, 0)
	if err != nil {
		return err
	}
	if n < unix.SizeofNlMsghdr+4 {
		return errors.New("short answer from the kernel")
	}
	if code := int32(binary.NativeEndian.Uint32(reply[unix.SizeofNlMsghdr:])); code != 0 {
		return unix.Errno(-code)
	}
	return nil
}
