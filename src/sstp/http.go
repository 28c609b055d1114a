package sstp

import (
	"bytes"
	"encoding/hex"
	"errors"
	"strconv"
	"strings"

	"sstp/src/fault"
	"sstp/src/httphead"
	"sstp/src/text"
)

// The HTTP opening ([MS-SSTP] 3.2.4.1 and 3.3.5.1). Content-Length is 2^64-1 both ways: what follows never ends.
const (
	Method      = "SSTP_DUPLEX_POST"
	RequestPath = "/sra_{BA195980-CD49-458b-9E23-C84EE0ADCD75}/"
	MaxHeadLen  = httphead.MaxLen

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
// head with a nil error asks for more bytes. The error is a *fault.Error with code NOT_SSTP: what answers does not speak
// HTTP, or its head is longer than MaxHeadLen.
func CutResponseHead(b []byte) (h *ResponseHead, rest []byte, err error) {
	head, rest, err := httphead.CutResponse(b)
	if err != nil {
		return nil, b, headFault(err, fault.Newf(fault.NotSSTP, fault.StageHTTP, "The server's answer is not HTTP/1.1: %s.", text.Phrase(httphead.FirstLine(b))))
	}
	if head == nil {
		return nil, b, nil
	}
	h = &ResponseHead{Status: head.Status, Reason: text.Phrase(head.Reason)}
	for name, value := range head.Fields {
		switch {
		case strings.EqualFold(name, "Location") && h.Location == "": // of repeated headers the first counts
			h.Location = text.Phrase(value)
		case strings.EqualFold(name, "Server") && h.Server == "":
			h.Server = text.Phrase(value)
		}
	}
	return h, rest, nil
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
	head, rest, err := httphead.CutRequest(b)
	if err != nil {
		return nil, b, headFault(err, malformed("the request line is not HTTP: "+text.Phrase(httphead.FirstLine(b))))
	}
	if head == nil {
		return nil, b, nil
	}
	h = &RequestHead{Method: head.Method, Path: head.Target}
	var length string
	fields := []struct {
		name string
		into *string
	}{{"Host", &h.Host}, {"SSTPCORRELATIONID", &h.CorrelationID}, {"Content-Length", &length}}
	for name, value := range head.Fields {
		if name == "" {
			return nil, b, malformed("a header has no colon: " + text.Phrase(value))
		}
		for _, f := range fields {
			switch {
			case !strings.EqualFold(name, f.name):
			case *f.into != "" && *f.into != value:
				return nil, b, malformed("the request has two headers " + f.name)
			default:
				*f.into = value
			}
		}
	}
	if length != "" {
		if h.ContentLength, err = strconv.ParseUint(length, 10, 64); err != nil {
			return nil, b, malformed("Content-Length is no number: " + text.Phrase(length))
		}
	}
	return h, rest, nil
}

// headFault explains why bytes are no head; notHTTP is for those that are not HTTP.
func headFault(err error, notHTTP error) error {
	if errors.Is(err, httphead.ErrTooLong) {
		return fault.New(fault.NotSSTP, fault.StageHTTP, "The other side's HTTP head does not end within 16 KiB.")
	}
	return notHTTP
}

func malformed(what string) error {
	return fault.Plain(fault.NotSSTP, fault.StageHTTP, "The client's request is malformed: "+what+".")
}
