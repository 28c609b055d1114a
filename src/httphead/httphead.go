// Package httphead reads the head of an HTTP/1.x message (RFC 9112): the start line and the header fields. It knows nothing
// of bodies. SSTP needs no more of HTTP than one head each way, and CONNECT to a proxy needs the same.
package httphead

import (
	"bytes"
	"errors"
	"strings"
)

// MaxLen is how long a head may be, the empty line at its end included.
const MaxLen = 16 << 10

var (
	// ErrNotHTTP is the error for bytes that cannot become a head of HTTP/1.x.
	ErrNotHTTP = errors.New("not HTTP/1.x")
	// ErrTooLong is the error for a head that does not end within MaxLen.
	ErrTooLong = errors.New("the head does not end within 16 KiB")
)

// version is the HTTP version without its last digit.
const version = "HTTP/1."

// Response is the head of a response.
type Response struct {
	Minor  int // of the version: 1 for HTTP/1.1
	Status int // three digits
	Reason string
	fields
}

// Request is the head of a request.
type Request struct {
	Method string
	Target string
	fields
}

// CutResponse splits the head of a response off b; rest aliases b. A nil head with a nil error asks for more bytes. Bytes
// that do not begin with "HTTP/1." are refused at once, however few.
func CutResponse(b []byte) (h *Response, rest []byte, err error) {
	if n := min(len(b), len(version)); string(b[:n]) != version[:n] {
		return nil, b, ErrNotHTTP
	}
	start, fields, rest, err := cut(b)
	if err != nil || rest == nil {
		return nil, b, err
	}
	// "HTTP/1.1 200", "HTTP/1.1 200 " and "HTTP/1.1 200 OK" are all in use.
	const whole = len("HTTP/1.1 200")
	if len(start) < whole || !digits(start[7:8]) || start[8] != ' ' || !digits(start[9:12]) || len(start) > whole && start[whole] != ' ' {
		return nil, b, ErrNotHTTP
	}
	return &Response{
		Minor:  int(start[7] - '0'),
		Status: int(start[9]-'0')*100 + int(start[10]-'0')*10 + int(start[11]-'0'),
		Reason: strings.TrimSpace(start[whole:]),
		fields: fields,
	}, rest, nil
}

// CutRequest splits the head of a request off b, as CutResponse does with a response.
func CutRequest(b []byte) (h *Request, rest []byte, err error) {
	start, fields, rest, err := cut(b)
	if err != nil || rest == nil {
		return nil, b, err
	}
	parts := strings.Split(start, " ")
	if len(parts) != 3 || parts[0] == "" || parts[1] == "" {
		return nil, b, ErrNotHTTP
	}
	if minor, found := strings.CutPrefix(parts[2], version); !found || len(minor) != 1 || !digits(minor) {
		return nil, b, ErrNotHTTP
	}
	return &Request{Method: parts[0], Target: parts[1], fields: fields}, rest, nil
}

// cut splits b behind the first empty line. A bare line feed ends a line too. rest is nil where more bytes are needed.
func cut(b []byte) (start string, f fields, rest []byte, err error) {
	window := b[:min(len(b), MaxLen)]
	for at := 0; ; {
		i := bytes.IndexByte(window[at:], '\n')
		if i < 0 {
			break
		}
		line := window[at : at+i]
		if len(line) == 0 || len(line) == 1 && line[0] == '\r' {
			start, lines := cutLine(string(b[:at]))
			return start, fields{lines}, b[at+i+1:], nil
		}
		at += i + 1
	}
	if len(b) >= MaxLen {
		return "", fields{}, nil, ErrTooLong
	}
	return "", fields{}, nil, nil
}

// FirstLine returns what has arrived of the first line, for a message about bytes that are no head.
func FirstLine(b []byte) string {
	line, _ := cutLine(string(b[:min(len(b), MaxLen)]))
	return line
}

// cutLine returns the first line of s without its end, and what is behind it. A carriage return inside of the line becomes
// a space (RFC 9112 section 2.2), so that nothing quoted from a head can begin a line of its own.
func cutLine(s string) (line, rest string) {
	line, rest, _ = strings.Cut(s, "\n")
	line = strings.TrimSuffix(line, "\r")
	return strings.ReplaceAll(line, "\r", " "), rest
}

// fields are the header fields of a head, as they came.
type fields struct{ lines string }

// Fields yields the name and the value of each header field, in order. A line that continues the field before it
// (RFC 9112 section 5.2) is joined to that one's value. A line without a colon has an empty name, and is the value.
func (f fields) Fields(yield func(name, value string) bool) {
	for rest := f.lines; rest != ""; {
		var line string
		line, rest = cutLine(rest)
		for rest != "" && (rest[0] == ' ' || rest[0] == '\t') {
			var more string
			more, rest = cutLine(rest)
			line += " " + strings.TrimLeft(more, " \t")
		}
		name, value, found := strings.Cut(line, ":")
		if !found {
			name, value = "", line
		}
		if !yield(name, strings.TrimSpace(value)) {
			return
		}
	}
}

func digits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}
