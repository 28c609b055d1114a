package ubus

import (
	"context"
	"strconv"
)

// Status is the result of a request on the bus (ubusmsg.h). As an error it is one of the codes other than StatusOK.
type Status uint32

// The status codes of ubus. The last three came in 2022.
const (
	StatusOK Status = iota
	StatusInvalidCommand
	StatusInvalidArgument
	StatusMethodNotFound
	StatusNotFound
	StatusNoData
	StatusPermissionDenied
	StatusTimeout
	StatusNotSupported
	StatusUnknownError
	StatusConnectionFailed
	StatusNoMemory
	StatusParseError
	StatusSystemError
)

// statusText has libubus' words for the codes.
var statusText = [...]string{
	StatusOK:               "success",
	StatusInvalidCommand:   "invalid command",
	StatusInvalidArgument:  "invalid argument",
	StatusMethodNotFound:   "method not found",
	StatusNotFound:         "not found",
	StatusNoData:           "no response",
	StatusPermissionDenied: "permission denied",
	StatusTimeout:          "request timed out",
	StatusNotSupported:     "operation not supported",
	StatusUnknownError:     "unknown error",
	StatusConnectionFailed: "connection failed",
	StatusNoMemory:         "out of memory",
	StatusParseError:       "parsing message data failed",
	StatusSystemError:      "system error",
}

// Error returns the words of the ubus tool for the code, and its number.
func (s Status) Error() string {
	words := "unknown status"
	if uint64(s) < uint64(len(statusText)) {
		words = statusText[s]
	}
	return words + " (ubus status " + strconv.FormatUint(uint64(s), 10) + ")"
}

// CallError is a failed request. errors.Is finds in it the Status with which ubusd or the object's owner answered,
// context.DeadlineExceeded if no answer came in time, or StatusConnectionFailed if there is no connection.
type CallError struct {
	Object string // path of the object, pattern or event
	Method string // method of the object, or another request: "lookup", "send"
	Err    error
}

func (e *CallError) Error() string {
	text := "ubus"
	if e.Object != "" {
		text += " " + e.Object
	}
	text += " " + e.Method + ": "
	if e.Err == context.DeadlineExceeded {
		return text + "no answer in time"
	}
	return text + e.Err.Error()
}

// Unwrap returns the cause.
func (e *CallError) Unwrap() error { return e.Err }

// LostError is the end of a connection to ubusd, or a failed attempt to connect. It matches StatusConnectionFailed.
type LostError struct {
	Err error
}

func (e *LostError) Error() string { return "no connection to ubusd: " + e.Err.Error() }

// Unwrap returns the cause.
func (e *LostError) Unwrap() error { return e.Err }

// Is makes a lost connection the status that libubus gives it.
func (e *LostError) Is(target error) bool { return target == StatusConnectionFailed }
