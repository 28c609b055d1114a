package transport

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"strconv"
	"strings"

	"sstp/src/fault"
	"sstp/src/phrase"
	"sstp/src/sstp"
	"sstp/src/text"
	"sstp/src/transport/ktls"
	"sstp/src/transport/netio"
)

// open sends the HTTP request ([MS-SSTP] 3.2.4.1) and reads the head of the answer, whose body is SSTP. early is what came
// together with the head.
func (c *connector) open(ctx context.Context, session net.Conn) (early []byte, finding phrase.Phrase, err error) {
	defer netio.Guard(ctx, session)()
	var id [16]byte
	if _, err := io.ReadFull(c.o.Rand, id[:]); err != nil {
		return nil, finding, fault.Newf(fault.NotSSTP, fault.StageHTTP, "No random numbers: %s.", err.Error()).Wrap(err)
	}
	id[6], id[8] = id[6]&0x0f|0x40, id[8]&0x3f|0x80 // version 4, RFC 9562 section 5.4
	request := sstp.AppendRequest(make([]byte, 0, 512), hostHeader(c.o.ServerName, c.o.Server.Port), c.o.PathSecret, id)
	buf := make([]byte, 0, 1024)
	if _, err := session.Write(request); err != nil {
		var failed *ktls.Error
		// The server may have sent an alert before it closed, which says more. After a failure of the kernel there is none to read.
		if errors.As(err, &failed) {
			return nil, finding, c.openFault(ctx, err)
		}
		if _, last := session.Read(buf[:1]); last != nil {
			if _, told := alertName(last); told {
				err = last
			}
		}
		return nil, finding, c.openFault(ctx, err)
	}
	for {
		head, rest, err := sstp.CutResponseHead(buf)
		switch {
		case err != nil:
			return nil, finding, fault.Of(err, fault.NotSSTP, fault.StageHTTP)
		case head == nil:
			if buf, err = netio.ReadMore(session, buf); err != nil {
				return nil, finding, c.openFault(ctx, err)
			}
		case head.Continue():
			buf = rest
		case head.Status == 200:
			finding = phrase.Foreign("HTTP 200")
			if head.Server != "" {
				finding.Text += ", " + head.Server
			}
			return append([]byte(nil), rest...), finding, nil
		default:
			return nil, finding, statusFault(head)
		}
	}
}

// hostHeader returns the name with its port, or without the port when that is 443: accel-ppp compares the header with its
// option host-name.
func hostHeader(name string, port uint16) string {
	if addr, err := netip.ParseAddr(name); err == nil && addr.Is6() {
		name = "[" + addr.WithZone("").String() + "]"
	}
	if port == 443 {
		return name
	}
	return name + ":" + strconv.Itoa(int(port))
}

// statusFault explains an answer that is not 200.
func statusFault(head *sstp.ResponseHead) error {
	said := strings.TrimRight(strconv.Itoa(head.Status)+" "+head.Reason, " ")
	refused := func(message, hint phrase.Format) *fault.Error {
		return fault.Newf(fault.HTTPRefused, fault.StageHTTP, message, said).WithHint(hint)
	}
	switch head.Status {
	case 301, 302, 303, 307, 308:
		// accel-ppp 1.12 redirects when the host name is not its own (option http-error).
		f := refused("The server redirects (%s).", "A redirect is not followed: set server and server_name to the VPN server's own name.")
		if head.Location != "" {
			f.Say("The server redirects (%s) to %s.", said, head.Location)
		}
		return f
	case 401, 407:
		return refused("Something in front of the VPN service wants credentials (%s).",
			"SSTP has no HTTP login: a proxy or firewall before the server must let the request pass.")
	case 404, 405, 501:
		return fault.Newf(fault.NotSSTP, fault.StageHTTP, "A web server answered that does not know SSTP (%s).", said).
			WithHint("Check server, port, server_name and path_secret, and that SSTP is enabled on the server.")
	case 500, 502, 503, 504:
		return refused("The server cannot take the call now (%s).",
			"Its VPN service is down or has no free port; check the server if that goes on.")
	}
	return refused("The server refused the call (%s).",
		"Something answered that is not the VPN service: check server, port, server_name and path_secret.")
}

// openFault explains why no answer came.
func (c *connector) openFault(ctx context.Context, err error) error {
	// In TLS 1.3 the client's handshake is over before the server verifies the client's certificate.
	if name, ok := alertName(err); ok {
		return alertFault(name, c.askedForCertificate, c.client != nil).Wrap(err)
	}
	f := fault.Newf(fault.NotSSTP, fault.StageHTTP, "The connection failed before the server answered: %s.", text.Phrase(err.Error()))
	switch {
	case ctx.Err() != nil || netio.IsTimeout(err):
		f.Say("The server did not answer the SSTP request.")
	case netio.IsClosed(err):
		f.Say("The server closed the connection without an answer to the SSTP request.")
	}
	return f.WithHint("Some servers keep silent when the name or the " +
		"secret is wrong: check server, port, server_name and path_secret. Debian 12's SoftEther 5.01 never answers.").Wrap(err)
}
