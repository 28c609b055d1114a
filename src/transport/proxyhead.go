package transport

import (
	"bytes"
	"errors"
	"strconv"
	"strings"
)

// headLimit is how long a head may be, the proxy's or the server's.
const headLimit = 16 << 10

// proxyHead is what matters of a proxy's response head (RFC 9112 section 4).
type proxyHead struct {
	Minor         byte // of the version, HTTP/1.x
	Status        int
	Reason        string
	ContentLength int64 // of the body; -1: not known
	Closes        bool  // the connection ends with the body
	Authenticate  []string
}

var (
	errNotHTTP  = errors.New("the answer is not HTTP")
	errHeadLong = errors.New("the answer's head does not end")
)

// cutProxyHead cuts a response head off b. No head and no error: more bytes are needed. rest aliases b. Lines may end in
// a bare LF. A CONNECT that succeeded has no body whatever the head says (RFC 9110 section 9.3.6).
func cutProxyHead(b []byte) (h *proxyHead, rest []byte, err error) {
	const magic = "HTTP/1."
	if n := min(len(b), len(magic)); string(b[:n]) != magic[:n] {
		return nil, b, errNotHTTP
	}
	lines, rest, found := cutHead(b)
	if !found {
		if len(b) >= headLimit {
			return nil, b, errHeadLong
		}
		return nil, b, nil
	}
	h = &proxyHead{ContentLength: -1}
	if !h.statusLine(lines[0]) {
		return nil, b, errNotHTTP
	}
	for _, line := range lines[1:] {
		name, value, found := strings.Cut(line, ":")
		if !found {
			return nil, b, errNotHTTP
		}
		h.header(strings.ToLower(name), strings.Trim(value, " \t"))
	}
	if h.Status >= 200 && h.Status < 300 {
		h.ContentLength, h.Closes = -1, false
	} else if h.ContentLength < 0 {
		h.Closes = true
	}
	return h, rest, nil
}

// cutHead splits the head's lines off b, continuation lines (RFC 9112 section 5.2) joined to what they continue.
func cutHead(b []byte) (lines []string, rest []byte, found bool) {
	for rest = b; ; {
		end := bytes.IndexByte(rest, '\n')
		if end < 0 || len(b)-len(rest)+end >= headLimit {
			return nil, b, false
		}
		line := strings.TrimSuffix(string(rest[:end]), "\r")
		line = strings.ReplaceAll(line, "\r", " ") // RFC 9112 section 2.2: it must not end up in what we send
		rest = rest[end+1:]
		switch {
		case line == "" && len(lines) > 0:
			return lines, rest, true
		case line != "" && (line[0] == ' ' || line[0] == '\t') && len(lines) > 1:
			lines[len(lines)-1] += " " + strings.TrimLeft(line, " \t")
		default:
			lines = append(lines, line)
		}
	}
}

func (h *proxyHead) statusLine(line string) bool {
	version, after, _ := strings.Cut(line, " ")
	code, reason, _ := strings.Cut(after, " ")
	status, err := strconv.Atoi(code)
	if err != nil || len(code) != 3 || status < 100 || len(version) != len("HTTP/1.1") {
		return false
	}
	h.Minor = version[len(version)-1] - '0'
	if h.Minor > 9 {
		return false
	}
	h.Status, h.Reason = status, reason
	h.Closes = h.Minor == 0
	return true
}

func (h *proxyHead) header(name, value string) {
	switch name {
	case "proxy-authenticate":
		h.Authenticate = append(h.Authenticate, value)
	case "connection", "proxy-connection":
		if strings.Contains(strings.ToLower(value), "close") {
			h.Closes = true
		}
	case "transfer-encoding":
		h.Closes = true // its length would have to be parsed for nothing else than this
	case "content-length":
		n, err := strconv.ParseInt(value, 10, 64)
		if err != nil || n < 0 || h.ContentLength >= 0 && h.ContentLength != n {
			h.Closes, n = true, -1
		}
		h.ContentLength = n
	}
}
