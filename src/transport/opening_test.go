package transport

import (
	"crypto/tls"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"

	"sstp/src/config"
	"sstp/src/fault"
	"sstp/src/transport/testkit"
)

// httpServer is a TLS server that answers the SSTP request with the given bytes and then closes.
func httpServer(t *testing.T, answer string) netip.AddrPort {
	cfg := testkit.Presenting(testkit.SelfSigned(t, nil))
	return testkit.Listen(t, func(conn net.Conn) {
		s := tls.Server(conn, cfg)
		defer s.Close()
		if _, err := testkit.ReadHead(s); err == nil {
			io.WriteString(s, answer)
		}
	})
}

func TestTheRequestIsWhatServersExpect(t *testing.T) {
	cfg := testkit.Presenting(testkit.SelfSigned(t, nil))
	for _, tc := range []struct {
		why    string
		change func(*Options)
		want   string
	}{
		{"the path is literal, the length is 2^64-1, and Host has no :443", func(*Options) {}, "" +
			"SSTP_DUPLEX_POST /sra_{BA195980-CD49-458b-9E23-C84EE0ADCD75}/ HTTP/1.1\r\n" +
			"SSTPCORRELATIONID: {00000000-0000-4000-8000-000000000000}\r\n" +
			"Content-Length: 18446744073709551615\r\n" +
			"Host: vpn.test\r\n\r\n"},
		{"Host has the port when it is another", func(o *Options) { o.Server.Port = 8443 }, "Host: vpn.test:8443\r\n"},
		{"Host is the name that the server knows itself by, not the address it was dialed by", func(o *Options) {
			o.Server.Host, o.ServerName = "192.0.2.1", "vpn.example"
		}, "Host: vpn.example\r\n"},
		{"an IPv6 address stands in brackets", func(o *Options) { o.Server.Host = "2001:db8::1" },
			"Host: [2001:db8::1]\r\n"},
		{"with another port too", func(o *Options) { o.Server = config.Server{Host: "2001:db8::1", Port: 444} },
			"Host: [2001:db8::1]:444\r\n"},
		{"an address' zone is ours alone", func(o *Options) { o.Server.Host = "fe80::1%eth0" }, "Host: [fe80::1]\r\n"},
		{"a name's last dot is for the resolver", func(o *Options) { o.Server.Host = "vpn.test." }, "Host: vpn.test\r\n"},
		{"the secret follows the path", func(o *Options) { o.PathSecret = "x?tenantid=1" },
			"/sra_{BA195980-CD49-458b-9E23-C84EE0ADCD75}/x?tenantid=1 HTTP/1.1\r\n"},
	} {
		t.Run(tc.why, func(t *testing.T) {
			heads := make(chan string, 1)
			o := unverified(testkit.Listen(t, func(conn net.Conn) {
				s := tls.Server(conn, cfg)
				head, _ := testkit.ReadHead(s)
				heads <- head
				io.WriteString(s, testkit.OKHead)
				io.Copy(io.Discard, s)
			}))
			o.Rand = zeros{}
			tc.change(&o)
			mustConnect(t, o, nil)
			if head := <-heads; !strings.Contains(head, tc.want) {
				t.Errorf("sent\n%s\nwant\n%s", head, tc.want)
			}
		})
	}
}

func TestTheConnectionBeginsBehindTheHead(t *testing.T) {
	packet := string(sstpPacket)
	for _, tc := range []struct{ why, answer string }{
		{"RRAS leaves the reason empty", testkit.OKHead + packet},
		{"nothing at all behind the status is allowed too", "HTTP/1.1 200\r\n\r\n" + packet},
		{"SoftEther", "HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551615\r\nDate: x\r\n\r\n" + packet},
		{"lines may end in a bare LF", "HTTP/1.1 200 OK\nServer: x\n\n" + packet},
		{"100 is skipped", "HTTP/1.1 100 Continue\r\n\r\n" + testkit.OKHead + packet},
	} {
		t.Run(tc.why, func(t *testing.T) {
			conn := mustConnect(t, unverified(httpServer(t, tc.answer)), nil)
			got := make([]byte, len(packet))
			for i := range got { // a byte at a time: Read may be given less room than there is
				if _, err := io.ReadFull(conn, got[i:i+1]); err != nil {
					t.Fatal(err)
				}
			}
			if string(got) != packet {
				t.Errorf("read %x, want the packet %x that was glued to the head", got, packet)
			}
			if n, err := conn.Read(got); err != io.EOF {
				t.Errorf("after the server's goodbye: %d, %v, want io.EOF", n, err)
			}
		})
	}
}

func TestConformance3AnswersThatAreNoTunnel(t *testing.T) {
	for _, tc := range []struct {
		why, answer string
		code        fault.Code
		words       []string
	}{
		{"a redirect is reported and not followed", "HTTP/1.1 301 Moved Permanently\r\nLocation: https://other.test/\r\n\r\n",
			fault.HTTPRefused, []string{"301", "https://other.test/", "not followed"}},
		{"a redirect to nowhere", "HTTP/1.1 302 Found\r\n\r\n", fault.HTTPRefused, []string{"(302 Found)."}},
		{"400", "HTTP/1.1 400 Bad Request\r\n\r\n", fault.HTTPRefused, []string{"400 Bad Request"}},
		{"401: something in front", "HTTP/1.1 401 Unauthorized\r\n\r\n", fault.HTTPRefused, []string{"credentials"}},
		{"407 from the server's side", "HTTP/1.1 407 x\r\n\r\n", fault.HTTPRefused, []string{"credentials"}},
		{"403", "HTTP/1.1 403 Forbidden\r\n\r\n", fault.HTTPRefused, []string{"403 Forbidden", "path_secret"}},
		{"404 with a body", "HTTP/1.1 404 Not Found\r\nContent-Length: 5\r\n\r\nhello", fault.NotSSTP, []string{"web server", "404"}},
		{"405", "HTTP/1.1 405 Method Not Allowed\r\n\r\n", fault.NotSSTP, []string{"web server"}},
		{"501", "HTTP/1.1 501 Not Implemented\r\n\r\n", fault.NotSSTP, []string{"web server"}},
		{"503 passes", "HTTP/1.1 503 Service Unavailable\r\n\r\n", fault.HTTPRefused, []string{"503", "free port"}},
		{"101 has no place here", "HTTP/1.1 101 Switching Protocols\r\n\r\n", fault.HTTPRefused, []string{"101"}},
		{"204 is no tunnel", "HTTP/1.1 204 No Content\r\n\r\n", fault.HTTPRefused, []string{"204"}},
		{"another protocol", "SSH-2.0-OpenSSH_9.9\r\n", fault.NotSSTP, nil},
		{"SSTP without HTTP", string(sstpPacket), fault.NotSSTP, nil},
		{"not even a status", "HTTP/1.1 OK\r\n\r\n", fault.NotSSTP, nil},
		{"a head without end", "HTTP/1.1 200 OK\r\nX: " + strings.Repeat("y", 20<<10), fault.NotSSTP, []string{"16 KiB"}},
		{"nothing, and closed: sorz, and accel-ppp with http-error=deny", "", fault.NotSSTP, []string{"closed", "path_secret"}},
		{"half a head, and closed", "HTTP/1.1 200 OK\r\nServer", fault.NotSSTP, []string{"closed"}},
		{"control characters do not reach the screen", "HTTP/1.1 403 \x1b[2Jno\x07\r\n\r\n", fault.HTTPRefused, nil},
	} {
		t.Run(tc.why, func(t *testing.T) {
			f := wantFault(t, unverified(httpServer(t, tc.answer)), tc.code, tc.words...)
			if f.Stage != fault.StageHTTP {
				t.Errorf("stage %s, want http", f.Stage)
			}
			if strings.ContainsAny(f.Message, "\x1b\x07") {
				t.Errorf("the message %q has control characters", f.Message)
			}
		})
	}
}

func TestAConnectionCutBeforeTheAnswer(t *testing.T) {
	cfg := testkit.Presenting(testkit.SelfSigned(t, nil))
	o := unverified(testkit.Listen(t, func(conn net.Conn) {
		s := tls.Server(conn, cfg)
		testkit.ReadHead(s)
		conn.(*net.TCPConn).SetLinger(0) // the close resets the connection
	}))
	wantFault(t, o, fault.NotSSTP, "closed the connection without an answer")
}
