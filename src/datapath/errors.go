package datapath

import (
	"errors"
	"io"
	"os"
	"syscall"

	"sstp/src/fault"
	"sstp/src/sstp"
)

// streamError returns the fault that tells the user how the connection ended.
func streamError(err error) error {
	var f *fault.Error
	switch {
	case errors.As(err, &f): // the stream knows more
		return f
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return fault.New(fault.ClosedByServer, fault.StageUp, "The server closed the connection.").Wrap(err)
	case errors.Is(err, syscall.ETIMEDOUT), errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH),
		errors.Is(err, syscall.ENETDOWN):
		return fault.New(fault.PeerSilent, fault.StageUp, "The server cannot be reached any more.").Wrap(err)
	}
	return fault.Newf(fault.ClosedByServer, fault.StageUp, "The connection to the server broke: %s.", err.Error()).Wrap(err)
}

// writeError returns the fault that tells the user why a write failed, or nil when it did not.
func writeError(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, os.ErrDeadlineExceeded):
		return fault.New(fault.PeerSilent, fault.StageUp, "The server took no data for 30 seconds.").Wrap(err)
	}
	return streamError(err)
}

// framingError returns the fault for a stream that is not made of SSTP packets. Nothing after such an error can be read.
// heard says whether an SSTP packet has come before.
func framingError(err error, heard bool) error {
	switch {
	case errors.Is(err, sstp.ErrHTTP), !heard:
		return fault.Newf(fault.NotSSTP, fault.StageSSTP, "The server does not speak SSTP: %s.", err.Error()).Wrap(err)
	}
	return fault.Newf(fault.SSTPRejected, fault.StageUp, "The server broke SSTP's framing: %s.", err.Error()).Wrap(err)
}

// deviceError returns the fault for a device that can no longer be read or written.
func deviceError(err error) error {
	return fault.Of(err, fault.TUNFailed, fault.StageUp)
}
