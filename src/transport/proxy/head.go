package proxy

import (
	"strconv"
	"strings"

	"sstp/src/httphead"
)

// answer is what matters of the head of a proxy's response.
type answer struct {
	Status        int
	Reason        string
	ContentLength int64 // of the body; -1 means unknown
	Closes        bool  // the connection ends with the body
	Authenticate  []string
}

// cutAnswer splits the head of a response off b, as httphead.CutResponse does. A CONNECT that succeeded has no body,
// whatever the head says (RFC 9110 section 9.3.6).
func cutAnswer(b []byte) (a *answer, rest []byte, err error) {
	head, rest, err := httphead.CutResponse(b)
	if head == nil {
		return nil, b, err
	}
	if head.Status < 100 {
		return nil, b, httphead.ErrNotHTTP
	}
	a = &answer{Status: head.Status, Reason: head.Reason, ContentLength: -1, Closes: head.Minor == 0}
	for name, value := range head.Fields {
		if name == "" { // there is no colon
			return nil, b, httphead.ErrNotHTTP
		}
		a.header(strings.ToLower(name), value)
	}
	if a.Status >= 200 && a.Status < 300 {
		a.ContentLength, a.Closes = -1, false
	} else if a.ContentLength < 0 {
		a.Closes = true
	}
	return a, rest, nil
}

// header takes what matters of one header field; name is in lower case.
func (a *answer) header(name, value string) {
	switch name {
	case "proxy-authenticate":
		a.Authenticate = append(a.Authenticate, value)
	case "connection", "proxy-connection":
		if strings.Contains(strings.ToLower(value), "close") {
			a.Closes = true
		}
	case "transfer-encoding":
		a.Closes = true // not worth a parser: the connection is closed instead of reused
	case "content-length":
		n, err := strconv.ParseInt(value, 10, 64)
		if err != nil || n < 0 || a.ContentLength >= 0 && a.ContentLength != n {
			a.Closes, n = true, -1
		}
		a.ContentLength = n
	}
}
