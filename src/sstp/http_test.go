package sstp

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"sstp/src/fault"
)

// rrasHead is the answer of Windows Server 2008 R2: the reason is empty behind its blank.
const rrasHead = "HTTP/1.1 200 \r\nContent-Length: 18446744073709551615\r\nServer: Microsoft-HTTPAPI/2.0\r\nDate: Tue, 01 Jan 2030 00:00:00 GMT\r\n\r\n"

func TestRequestIsWrittenAsOnTheWire(t *testing.T) {
	id := [16]byte{0x0d, 0x52, 0x8c, 0xac, 0x46, 0x4e, 0x42, 0x3a, 0xa3, 0x99, 0x94, 0x70, 0xe2, 0x34, 0xbc, 0x54}
	want := "SSTP_DUPLEX_POST /sra_{BA195980-CD49-458b-9E23-C84EE0ADCD75}/ HTTP/1.1\r\n" +
		"SSTPCORRELATIONID: {0D528CAC-464E-423A-A399-9470E234BC54}\r\n" +
		"Content-Length: 18446744073709551615\r\n" +
		"Host: vpn.example\r\n" +
		"\r\n"
	got := AppendRequest(nil, "vpn.example", "", id)
	if string(got) != want {
		t.Errorf("the request is\n%q, want\n%q", got, want)
	}
	h, rest, err := CutRequestHead(append(got, "\x10\x01"...))
	if err != nil || string(rest) != "\x10\x01" {
		t.Fatalf("a server reads %v, %v and the rest %q", h, err, rest)
	}
	if *h != (RequestHead{Method, RequestPath, "vpn.example", "{0D528CAC-464E-423A-A399-9470E234BC54}", 1<<64 - 1}) {
		t.Errorf("a server reads %+v", *h)
	}
	if got := AppendRequest(nil, "h", "?tenantid=7", id); !bytes.HasPrefix(got, []byte(Method+" "+RequestPath+"?tenantid=7 HTTP/1.1\r\n")) {
		t.Errorf("path_secret is not appended as it is: %q", got)
	}
}

func TestResponseIsWrittenAsOnTheWire(t *testing.T) {
	want := "HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551615\r\nDate: today\r\n\r\n"
	if got := AppendResponse(nil, 200, "OK", "today"); string(got) != want {
		t.Errorf("200 is %q, want %q", got, want)
	}
	want = "HTTP/1.1 404 \r\nContent-Length: 0\r\n\r\n"
	if got := AppendResponse(nil, 404, "", ""); string(got) != want {
		t.Errorf("404 is %q, want %q", got, want)
	}
}

func TestConformance3ResponseHeads(t *testing.T) {
	tests := []struct {
		why  string
		in   string
		want ResponseHead
		rest string
	}{
		{"RRAS: empty reason", rrasHead, ResponseHead{200, "", "", "Microsoft-HTTPAPI/2.0"}, ""},
		{"no blank behind the status", "HTTP/1.1 200\r\n\r\n", ResponseHead{Status: 200}, ""},
		{"SSTP glued to the head", rrasHead + "\x10\x01\x00\x30", ResponseHead{200, "", "", "Microsoft-HTTPAPI/2.0"}, "\x10\x01\x00\x30"},
		{"SSTP that looks like an empty line", "HTTP/1.1 200 OK\r\n\r\n\r\n\r\n", ResponseHead{200, "OK", "", ""}, "\r\n\r\n"},
		{"404 with body", "HTTP/1.0 404 Not Found\r\nServer: nginx\r\n\r\n<html>", ResponseHead{404, "Not Found", "", "nginx"}, "<html>"},
		{"bare line feeds", "HTTP/1.1 200 OK\nServer: x\n\nrest", ResponseHead{200, "OK", "", "x"}, "rest"},
		{"mixed line ends", "HTTP/1.1 200 OK\r\nServer: x\n\r\nrest", ResponseHead{200, "OK", "", "x"}, "rest"},
		{"redirect", "HTTP/1.1 301 Moved\r\nlocation:https://example.org/ \r\n\r\n", ResponseHead{301, "Moved", "https://example.org/", ""}, ""},
		{"repeated headers: the first counts", "HTTP/1.1 302 F\r\nLocation: a\r\nLOCATION: b\r\n\r\n", ResponseHead{302, "F", "a", ""}, ""},
		{"lines that are no headers", "HTTP/1.1 200 OK\r\nhello\r\n Server: folded\r\n:\r\n\r\n", ResponseHead{200, "OK", "", ""}, ""},
		{"text that would paint the terminal", "HTTP/1.1 200 \x1b[31m\"red\"\xff\r\n\r\n", ResponseHead{200, `\x1b[31m"red"\xff`, "", ""}, ""},
	}
	for _, test := range tests {
		for i := range len(test.in) - len(test.rest) {
			if h, rest, err := CutResponseHead([]byte(test.in[:i])); h != nil || err != nil || len(rest) != i {
				t.Fatalf("%s: after %d bytes %v, %v: the head is not complete", test.why, i, h, err)
			}
		}
		h, rest, err := CutResponseHead([]byte(test.in))
		if err != nil || *h != test.want || string(rest) != test.rest {
			t.Errorf("%s: %+v, rest %q, %v; want %+v, rest %q", test.why, h, rest, err, test.want, test.rest)
		}
	}
}

func TestContinueComesBeforeTheAnswer(t *testing.T) {
	h, rest, err := CutResponseHead([]byte("HTTP/1.1 100 Continue\r\n\r\n" + rrasHead + "\x10"))
	if err != nil || !h.Continue() {
		t.Fatalf("first head: %+v, %v, want the 100", h, err)
	}
	h, rest, err = CutResponseHead(rest)
	if err != nil || h.Continue() || h.Status != 200 || string(rest) != "\x10" {
		t.Errorf("second head: %+v, rest %q, %v; want the 200 and SSTP's first byte", h, rest, err)
	}
}

func TestConformance3WhatIsNoResponse(t *testing.T) {
	long := "HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", 20<<10)
	for in, part := range map[string]string{
		"SSH-2.0-OpenSSH_9.2\r\n":     "SSH-2.0-OpenSSH_9.2", // no empty line ever follows: the first bytes must do
		"\x15\x03\x01\x00\x02\x02":    `\x15\x03`,
		"HTTP/2 200\r\n\r\n":          "HTTP/2",
		"HTTP/1.1 20 OK\r\n\r\n":      "20 OK",
		"HTTP/1.1 2000 OK\r\n\r\n":    "2000 OK",
		"HTTP/1.1 -20 OK\r\n\r\n":     "-20 OK",
		"HTTP/1.x 200 OK\r\n\r\n":     "1.x",
		"HTTP/1.\r\n\r\n":             "HTTP/1.",
		long:                          "16 KiB",
		strings.Repeat("z", 200):      "zzz...",
		"HTTP/1.1 200OK\r\n\r\n":      "200OK",
		"\r\nHTTP/1.1 200 OK\r\n\r\n": "not HTTP/1.1",
	} {
		h, rest, err := CutResponseHead([]byte(in))
		var f *fault.Error
		if h != nil || len(rest) != len(in) || !errors.As(err, &f) || f.Code != fault.NotSSTP || !strings.Contains(f.Message, part) {
			t.Errorf("%.30q: %v, %v; want NOT_SSTP that shows %q", in, h, err, part)
		}
	}
	if h, _, err := CutResponseHead([]byte(long[:MaxHeadLen-1])); h != nil || err != nil {
		t.Errorf("one byte below the limit: %v, %v; want patience", h, err)
	}
}

func TestRequestHeadsOfClients(t *testing.T) {
	id := "SSTPCORRELATIONID: 0d528cac-464e-423a-a399-9470e234bc54\r\n"
	for client, in := range map[string]string{
		"Windows":      "X /p HTTP/1.1\r\n" + id + "Content-Length: 18446744073709551615\r\nHost: h\r\n\r\n",
		"kittoku":      "X /p HTTP/1.1\r\nContent-Length: 18446744073709551615\r\nHost: h\r\n" + id + "\r\n",
		"sstpc":        "X /p HTTP/1.1\r\nHost:h\r\nContent-Length: 18446744073709551615\r\n" + id + "\r\n",
		"twice":        "X /p HTTP/1.1\r\nHost: h\r\nhost: h\r\nContent-Length: 18446744073709551615\r\n" + id + "\r\n",
		"more headers": "X /p HTTP/1.0\nAccept: */*\nHost: h\nContent-Length: 18446744073709551615\n" + id + "\n",
	} {
		h, _, err := CutRequestHead([]byte(in))
		if err != nil || *h != (RequestHead{"X", "/p", "h", "0d528cac-464e-423a-a399-9470e234bc54", 1<<64 - 1}) {
			t.Errorf("%s: %+v, %v", client, h, err)
		}
	}
	if h, rest, err := CutRequestHead([]byte("GET / HTTP/1.1\r\n\r\n!")); err != nil || *h != (RequestHead{Method: "GET", Path: "/"}) || string(rest) != "!" {
		t.Errorf("a browser's request: %+v, %q, %v; it is good HTTP that the caller answers with 404", h, rest, err)
	}
	for in, part := range map[string]string{
		"\r\n\r\n":                                   "request line",
		"GET /\r\n\r\n":                              "request line",
		"GET / x HTTP/1.1\r\n\r\n":                   "request line",
		"GET / HTTP/2.0\r\n\r\n":                     "request line",
		" / HTTP/1.1\r\n\r\n":                        "request line",
		"X / HTTP/1.1\r\nnocolon\r\n\r\n":            "no colon",
		"X / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n": "two headers Host",
		"X / HTTP/1.1\r\nContent-Length: -1\r\n\r\n": "Content-Length",
		"X / HTTP/1.1\r\nContent-Length: 18446744073709551616\r\n\r\n": "Content-Length",
		strings.Repeat("z", 20<<10):                                    "16 KiB",
	} {
		h, rest, err := CutRequestHead([]byte(in))
		if h != nil || len(rest) != len(in) || err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("%.40q: %+v, %v; want an error about %q", in, h, err, part)
		}
	}
}

func FuzzHeads(f *testing.F) {
	f.Add([]byte(rrasHead))
	f.Add(AppendRequest(nil, "vpn.example", "", [16]byte{}))
	f.Add([]byte("HTTP/1.1 302 x\nLocation: a\nLocation: b\n\n\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		h, rest, err := CutResponseHead(b)
		switch {
		case h == nil && len(rest) != len(b):
			t.Fatal("bytes are gone without a head")
		case h != nil && (err != nil || h.Status < 0 || h.Status > 999 || len(rest) >= len(b)):
			t.Fatalf("%+v, %v", h, err)
		case h == nil && err == nil && len(b) >= MaxHeadLen:
			t.Fatalf("%d bytes are there and no limit", len(b))
		}
		if h != nil {
			for _, text := range []string{h.Reason, h.Location, h.Server} {
				if len(text) > 4*120+3 || strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f }) {
					t.Fatalf("%q is not fit for display", text)
				}
			}
		}
		r, rest, err := CutRequestHead(b)
		switch {
		case r == nil && (len(rest) != len(b) || err == nil && len(b) >= MaxHeadLen):
			t.Fatal("bytes are gone without a head, or there is no limit")
		case r != nil && (err != nil || r.Method == "" || r.Path == ""):
			t.Fatalf("%+v, %v", r, err)
		}
	})
}
