package datapath

import (
	"errors"
	"io"
	"os"
	"syscall"

	"sstp/src/fault"
	"sstp/src/sstp"
)

// streamError says in the user's words how the connection ended.
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
	return fault.New(fault.ClosedByServer, fault.StageUp, "The connection to the server broke: "+err.Error()+".").Wrap(err)
}

// writeError says why the stream took no data, if it did not.
func writeError(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, os.ErrDeadlineExceeded):
		return fault.New(fault.PeerSilent, fault.StageUp, "The server took no data for 30 seconds.").Wrap(err)
	}
	return streamError(err)
}

// framingError says that the stream holds something else than SSTP packets. Nothing can be made of what follows.
func framingError(err error, heard bool) error {
	switch {
	case errors.Is(err, sstp.ErrHTTP), !heard:
		return fault.New(fault.NotSSTP, fault.StageSSTP, "The server does not speak SSTP: "+err.Error()+".").Wrap(err)
	}
	return fault.New(fault.SSTPRejected, fault.StageUp, "The server broke SSTP's framing: "+err.Error()+".").Wrap(err)
}

// deviceError says that there is nothing to read from or write to any more.
func deviceError(err error) error {
	return fault.Of(err, fault.TUNFailed, fault.StageUp)
}
