package httphead

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"
)

// listed writes the fields for a comparison.
func listed(fields func(func(name, value string) bool)) (list []string) {
	for name, value := range fields {
		list = append(list, name+"="+value)
	}
	return list
}

func TestResponses(t *testing.T) {
	for _, c := range []struct {
		why, in       string
		minor, status int
		reason        string
		fields        []string
		rest          string
	}{
		{"a whole head", "HTTP/1.1 404 Not Found\r\nServer: nginx\r\nA:b\r\n\r\n<html>", 1, 404, "Not Found", []string{"Server=nginx", "A=b"}, "<html>"},
		{"no reason", "HTTP/1.0 200 \r\n\r\n", 0, 200, "", nil, ""},
		{"not even its blank", "HTTP/1.1 200\r\n\r\n", 1, 200, "", nil, ""},
		{"bare line feeds", "HTTP/1.1 200 OK\nA: b\n\nrest", 1, 200, "OK", []string{"A=b"}, "rest"},
		{"mixed line ends", "HTTP/1.1 200 OK\r\nA: b\n\r\nrest", 1, 200, "OK", []string{"A=b"}, "rest"},
		{"the first empty line ends the head", "HTTP/1.1 200 OK\r\n\r\n\r\n\r\n", 1, 200, "OK", nil, "\r\n\r\n"},
		{"a folded line belongs to the field before it (RFC 9112 section 5.2)", "HTTP/1.1 407 x\r\nA: b\r\n\t c: d\r\n e\r\nF: g\r\n\r\n", 1, 407, "x", []string{"A=b c: d e", "F=g"}, ""},
		{"a line without a colon has no name", "HTTP/1.1 200 OK\r\nhello\r\n\r\n", 1, 200, "OK", []string{"=hello"}, ""},
		{"a blank before the colon is part of the name", "HTTP/1.1 200 OK\r\nA : b\r\n\r\n", 1, 200, "OK", []string{"A =b"}, ""},
		{"a carriage return inside of a line is a space (RFC 9112 section 2.2)", "HTTP/1.1 200 a\rb\r\nC: d\re\r\n\r\n", 1, 200, "a b", []string{"C=d e"}, ""},
	} {
		for i := range len(c.in) - len(c.rest) {
			if h, rest, err := CutResponse([]byte(c.in[:i])); h != nil || err != nil || len(rest) != i {
				t.Fatalf("%s: after %d bytes %+v, %v: the head is not complete", c.why, i, h, err)
			}
		}
		h, rest, err := CutResponse([]byte(c.in))
		if err != nil || h.Minor != c.minor || h.Status != c.status || h.Reason != c.reason || string(rest) != c.rest {
			t.Fatalf("%s: %+v, rest %q, %v", c.why, h, rest, err)
		}
		if got := listed(h.Fields); !slices.Equal(got, c.fields) {
			t.Errorf("%s: fields %q, want %q", c.why, got, c.fields)
		}
	}
}

func TestWhatIsNoHead(t *testing.T) {
	long := "HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", MaxLen)
	for in, want := range map[string]error{
		"SSH-2.0-OpenSSH_9.2\r\n":     ErrNotHTTP, // no empty line ever follows: the first bytes must do
		"S":                           ErrNotHTTP,
		"\r\nHTTP/1.1 200 OK\r\n\r\n": ErrNotHTTP,
		"HTTP/2 200\r\n\r\n":          ErrNotHTTP,
		"HTTP/1.x 200 OK\r\n\r\n":     ErrNotHTTP,
		"HTTP/1.\r\n\r\n":             ErrNotHTTP,
		"HTTP/1.1 20 OK\r\n\r\n":      ErrNotHTTP,
		"HTTP/1.1 -20 OK\r\n\r\n":     ErrNotHTTP,
		"HTTP/1.1 2000 OK\r\n\r\n":    ErrNotHTTP,
		"HTTP/1.1 200OK\r\n\r\n":      ErrNotHTTP,
		long:                          ErrTooLong,
		long[:MaxLen-1]:               nil, // one byte below the limit it may still end
	} {
		if h, rest, err := CutResponse([]byte(in)); h != nil || len(rest) != len(in) || !errors.Is(err, want) || want == nil && err != nil {
			t.Errorf("%.30q: %+v, %v, want %v", in, h, err, want)
		}
	}
	for _, in := range []string{"\r\n\r\n", "GET /\r\n\r\n", "GET / HTTP/2\r\n\r\n", "GET / HTTP/1.11\r\n\r\n", "GET  / HTTP/1.1\r\n\r\n", " / HTTP/1.1\r\n\r\n", "GET / HTTP/1.x\r\n\r\n"} {
		if h, _, err := CutRequest([]byte(in)); h != nil || !errors.Is(err, ErrNotHTTP) {
			t.Errorf("%q: %+v, %v, want %v", in, h, err, ErrNotHTTP)
		}
	}
	h, rest, err := CutRequest([]byte("POST /a?b HTTP/1.0\nHost: c\n\nd"))
	if err != nil || h.Method != "POST" || h.Target != "/a?b" || string(rest) != "d" || !slices.Equal(listed(h.Fields), []string{"Host=c"}) {
		t.Errorf("%+v, rest %q, %v", h, rest, err)
	}
}

func TestTheFirstLineIsForMessages(t *testing.T) {
	for in, want := range map[string]string{"SSH-2.0\r\nx": "SSH-2.0", "SSH": "SSH", "": "", "a\rb\n": "a b"} {
		if got := FirstLine([]byte(in)); got != want {
			t.Errorf("%q begins with %q, want %q", in, got, want)
		}
	}
}

// FuzzHead: the head ends at the same byte however the bytes arrived, nothing behind it is lost, and no field holds a line
// break.
func FuzzHead(f *testing.F) {
	f.Add([]byte("HTTP/1.1 200 Connection established\r\n\r\nglued"))
	f.Add([]byte("HTTP/1.0 407\nProxy-Authenticate: Basic\n realm=\"x\"\nConnection: close\n\n"))
	f.Add([]byte("HTTP/1.1 200 OK\r\nX\r\n\r\n"))
	f.Add([]byte("HTTP/2 200\r\n\r\n"))
	f.Add([]byte("SSTP_DUPLEX_POST /x HTTP/1.1\r\nHost: a\r\nhost: b\r\n\r\n\x10\x01"))
	f.Fuzz(func(t *testing.T, b []byte) {
		response, rest, err := CutResponse(b)
		if response != nil && (response.Status < 0 || response.Status > 999 || strings.ContainsAny(response.Reason, "\r\n")) {
			t.Fatalf("%+v", response)
		}
		check(t, b, response != nil, rest, err, func(b []byte) (bool, error) {
			h, _, err := CutResponse(b)
			return h != nil, err
		})
		request, rest, err := CutRequest(b)
		if request != nil && strings.ContainsAny(request.Method+request.Target, " \r\n") {
			t.Fatalf("%+v", request)
		}
		check(t, b, request != nil, rest, err, func(b []byte) (bool, error) {
			h, _, err := CutRequest(b)
			return h != nil, err
		})
		for name, value := range (fields{string(b)}).Fields {
			if strings.ContainsAny(name+value, "\r\n") || strings.Contains(name, ":") {
				t.Fatalf("%q: %q", name, value)
			}
		}
	})
}

// check compares a cut with what cut makes of shorter beginnings of b.
func check(t *testing.T, b []byte, found bool, rest []byte, err error, cut func([]byte) (bool, error)) {
	t.Helper()
	if !bytes.HasSuffix(b, rest) || !found && len(rest) != len(b) || found && err != nil {
		t.Fatalf("found %v, rest %q of %q, %v", found, rest, b, err)
	}
	length := len(b) - len(rest)
	switch {
	case found && length > MaxLen, !found && err == nil && len(b) >= MaxLen:
		t.Fatalf("found %v in %d bytes, beyond the limit", found, length)
	case !found:
		return
	}
	for i := range length {
		if early, err := cut(b[:i]); early || err != nil {
			t.Fatalf("%d of %d bytes of a good head: %v, %v", i, length, early, err)
		}
	}
	if again, err := cut(b[:length]); !again || err != nil {
		t.Fatal("the head alone is not the head")
	}
}
