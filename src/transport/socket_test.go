package transport

import (
	"context"
	"net"
	"net/netip"
	"os"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

func TestSocketsCarryTheMarkByWhichAFirewallKnowsThem(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("a mark needs root")
	}
	const mark = 0x10000000
	if !keepsMarks(mark) {
		t.Skip("this system does not keep a socket's mark: qemu-user takes it for something else")
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Skip("no sockets here")
	}
	defer listener.Close()
	markOf := func(conn net.Conn, err error) int {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		raw, err := conn.(syscall.Conn).SyscallConn()
		if err != nil {
			t.Fatal(err)
		}
		got := -1
		raw.Control(func(fd uintptr) { got, err = unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_MARK) })
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	for _, want := range []int{0, mark} {
		c := connector{o: Options{Mark: want}}
		to := listener.Addr().(*net.TCPAddr).AddrPort()
		if got := markOf(c.dialTCP(context.Background(), to, "lo")); got != want {
			t.Errorf("the connection to the server has mark %#x, want %#x", got, want)
		}
		if got := markOf(SocketDialer("lo", want).Dial("udp", to.String())); got != want {
			t.Errorf("a question to a name server has mark %#x, want %#x", got, want)
		}
	}
}

// keepsMarks reports whether a mark that is set on a socket by a system call can be read back.
func keepsMarks(mark int) bool {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return false
	}
	defer unix.Close(fd)
	unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_MARK, mark)
	got, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_MARK)
	return err == nil && got == mark
}

func TestOnlyAddressesBeyondTheLinkNeedASourceThatCanBeAnswered(t *testing.T) {
	for _, to := range []string{"127.0.0.1:443", "192.0.2.1:443", "[::1]:443", "[fe80::1%lo]:443", "[::ffff:192.0.2.1]:443"} {
		if sourceOnLink(t.Context(), netip.MustParseAddrPort(to), "") {
			t.Errorf("%s would be waited for", to)
		}
	}
	if sourceOnLink(t.Context(), netip.MustParseAddrPort("[2001:db8::1]:443"), "nonexistent0") {
		t.Error("a device that does not exist would be waited for")
	}
}
