package sstp

import (
	"bytes"
	"encoding/hex"
	"strconv"
	"strings"

	"sstp/src/fault"
	"sstp/src/text"
)

// The HTTP opening ([MS-SSTP] 3.2.4.1 and 3.3.5.1). Content-Length is 2^64-1 both ways: what follows never ends.
const (
	Method      = "SSTP_DUPLEX_POST"
	RequestPath = "/sra_{BA195980-CD49-458b-9E23-C84EE0ADCD75}/"
	MaxHeadLen  = 16 << 10

	contentLength = "18446744073709551615"
)

// AppendRequest appends the request that opens a call. host is the server's name, with its port unless that is 443;
// pathSecret is appended to the path as it is. The first SSTP packet must wait for the response: sorz sstp-server and
// ogital sstp-server throw away what comes together with the request.
func AppendRequest(dst []byte, host, pathSecret string, correlationID [16]byte) []byte {
	dst = append(dst, Method+" "+RequestPath...)
	dst = append(dst, pathSecret...)
	dst = append(dst, " HTTP/1.1\r\nSSTPCORRELATIONID: "...)
	dst = appendGUID(dst, correlationID)
	dst = append(dst, "\r\nContent-Length: "+contentLength+"\r\nHost: "...)
	dst = append(dst, host...)
	return append(dst, "\r\n\r\n"...)
}

// appendGUID writes the id as Windows does: upper case, in braces, the bytes in their order.
func appendGUID(dst []byte, id [16]byte) []byte {
	digits := bytes.ToUpper(hex.AppendEncode(nil, id[:]))
	dst = append(dst, '{')
	for i, d := range digits {
		if i == 8 || i == 12 || i == 16 || i == 20 {
			dst = append(dst, '-')
		}
		dst = append(dst, d)
	}
	return append(dst, '}')
}

// AppendResponse appends a server's response. Without a date the header is left out; an empty reason leaves its blank,
// as RRAS does. Any status but 200 announces an empty body.
func AppendResponse(dst []byte, status int, reason, date string) []byte {
	dst = append(dst, "HTTP/1.1 "...)
	dst = strconv.AppendInt(dst, int64(status), 10)
	dst = append(append(dst, ' '), reason...)
	if status == 200 {
		dst = append(dst, "\r\nContent-Length: "+contentLength...)
	} else {
		dst = append(dst, "\r\nContent-Length: 0"...)
	}
	if date != "" {
		dst = append(append(dst, "\r\nDate: "...), date...)
	}
	return append(dst, "\r\n\r\n"...)
}

// ResponseHead is what a client needs of the server's answer. All texts are fit for display.
type ResponseHead struct {
	Status   int
	Reason   string
	Location string // where a redirect points; it is reported and never followed
	Server   string
}

// Continue reports whether this is a 100 that the real answer follows: cut the next head off the rest.
func (h *ResponseHead) Continue() bool { return h.Status == 100 }

// CutResponseHead splits the head of a response off b; rest aliases b and is already SSTP if the status is 200. A nil
// head with a nil error asks for more bytes. The error is a *fault.Error with code NOT_SSTP: what answers speaks no
// HTTP, or its head passes MaxHeadLen.
func CutResponseHead(b []byte) (h *ResponseHead, rest []byte, err error) {
	const prefix = "HTTP/1."
	if n := min(len(b), len(prefix)); string(b[:n]) != prefix[:n] {
		return nil, b, notHTTP(b)
	}
	head, rest, err := cutHead(b)
	if head == nil {
		return nil, b, err
	}
	line, headers := cutLine(head)
	h = parseStatusLine(line[len(prefix):])
	if h == nil {
		return nil, b, notHTTP(line)
	}
	for len(headers) > 0 {
		line, headers = cutLine(headers)
		name, value, _ := header(line)
		switch {
		case equalFold(name, "Location") && h.Location == "": // of repeated headers the first counts
			h.Location = text.Phrase(string(value))
		case equalFold(name, "Server") && h.Server == "":
			h.Server = text.Phrase(string(value))
		}
	}
	return h, rest, nil
}

// parseStatusLine reads "<digit> SP 3DIGIT [SP reason]". The reason may be empty, with and without its blank.
func parseStatusLine(s []byte) *ResponseHead {
	if len(s) < 5 || !isDigit(s[0]) || s[1] != ' ' || !isDigit(s[2]) || !isDigit(s[3]) || !isDigit(s[4]) {
		return nil
	}
	if len(s) > 5 && s[5] != ' ' {
		return nil
	}
	status := int(s[2]-'0')*100 + int(s[3]-'0')*10 + int(s[4]-'0')
	return &ResponseHead{Status: status, Reason: text.Phrase(string(bytes.TrimSpace(s[5:])))}
}

// RequestHead is what a server needs of a client's request. The texts are as they came.
type RequestHead struct {
	Method        string
	Path          string
	Host          string
	CorrelationID string
	ContentLength uint64
}

// CutRequestHead splits the head of a request off b; rest aliases b. A nil head with a nil error asks for more bytes.
// The error is a *fault.Error with code NOT_SSTP. Whether method and path are ours is the caller's to judge: the head
// is good HTTP/1.x.
func CutRequestHead(b []byte) (h *RequestHead, rest []byte, err error) {
	head, rest, err := cutHead(b)
	if head == nil {
		return nil, b, err
	}
	line, headers := cutLine(head)
	parts := bytes.Split(line, []byte(" "))
	if len(parts) != 3 || len(parts[0]) == 0 || len(parts[1]) == 0 ||
		len(parts[2]) != len("HTTP/1.1") || !bytes.HasPrefix(parts[2], []byte("HTTP/1.")) || !isDigit(parts[2][7]) {
		return nil, b, badRequest("the request line is not HTTP: " + text.Phrase(string(line)))
	}
	h = &RequestHead{Method: string(parts[0]), Path: string(parts[1])}
	var length string
	fields := []struct {
		name string
		into *string
	}{{"Host", &h.Host}, {"SSTPCORRELATIONID", &h.CorrelationID}, {"Content-Length", &length}}
	for len(headers) > 0 {
		line, headers = cutLine(headers)
		name, value, ok := header(line)
		if !ok {
			return nil, b, badRequest("a header has no colon: " + text.Phrase(string(line)))
		}
		for _, f := range fields {
			switch {
			case !equalFold(name, f.name):
			case *f.into != "" && *f.into != string(value):
				return nil, b, badRequest("the request has two headers " + f.name)
			default:
				*f.into = string(value)
			}
		}
	}
	if length != "" {
		if h.ContentLength, err = strconv.ParseUint(length, 10, 64); err != nil {
			return nil, b, badRequest("Content-Length is no number: " + text.Phrase(length))
		}
	}
	return h, rest, nil
}

// cutHead splits b behind the first empty line; head has no empty line at its end. A bare line feed ends a line too.
func cutHead(b []byte) (head, rest []byte, err error) {
	window := b[:min(len(b), MaxHeadLen)]
	for at := 0; ; {
		i := bytes.IndexByte(window[at:], '\n')
		if i < 0 {
			break
		}
		line := window[at : at+i]
		if len(line) == 0 || len(line) == 1 && line[0] == '\r' {
			return b[:at:at], b[at+i+1:], nil
		}
		at += i + 1
	}
	if len(b) >= MaxHeadLen {
		return nil, b, fault.New(fault.NotSSTP, fault.StageHTTP, "The other side's HTTP head does not end within 16 KiB.")
	}
	return nil, b, nil
}

// cutLine returns the first line of a head without its end, and what is behind it.
func cutLine(b []byte) (line, rest []byte) {
	line, rest, _ = bytes.Cut(b, []byte("\n"))
	return bytes.TrimSuffix(line, []byte("\r")), rest
}

// header takes a header line apart; a name has no blanks before the colon, so that a folded line is nobody's value.
func header(line []byte) (name, value []byte, ok bool) {
	name, value, ok = bytes.Cut(line, []byte(":"))
	return name, bytes.TrimSpace(value), ok
}

func equalFold(name []byte, want string) bool {
	return len(name) == len(want) && strings.EqualFold(string(name), want)
}

func isDigit(b byte) bool { return '0' <= b && b <= '9' }

func notHTTP(b []byte) error {
	line, _ := cutLine(b)
	return fault.New(fault.NotSSTP, fault.StageHTTP, "The server's answer is not HTTP/1.1: "+text.Phrase(string(line)))
}

func badRequest(message string) error {
	return fault.New(fault.NotSSTP, fault.StageHTTP, "The client's request is malformed: "+message+".")
}
