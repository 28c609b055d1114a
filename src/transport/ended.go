package transport

import (
	"crypto/tls"
	"errors"
	"net"

	"sstp/src/fault"
	"sstp/src/text"
	"sstp/src/transport/ktls"
)

// explain turns what TLS says of an open connection into a *fault.Error. The end of the stream, deadlines and the
// network's errors pass as they are.
func explain(err error) error {
	if err == nil {
		return nil
	}
	if name, ok := alertName(err); ok {
		return fault.New(fault.ClosedByServer, fault.StageUp, "The server ended the connection with the TLS alert \""+name+"\".").
			Wrap(err)
	}
	var header tls.RecordHeaderError
	var local *net.OpError
	var inKernel *ktls.Error
	switch {
	case errors.Is(err, ktls.ErrKeyUpdate):
		return fault.New(fault.TLSFailed, fault.StageUp,
			"The server changed the keys of the TLS connection, which TLS in the kernel cannot follow.").
			WithHint("The call is made anew at once. Where this comes back often, set ktls '0'.").Wrap(err)
	case errors.As(err, &inKernel):
		return fault.New(fault.TLSFailed, fault.StageUp, "TLS with the server failed: "+inKernel.Error()+".").
			WithHint("The call is made anew. Where this comes back, set ktls '0', which leaves TLS to Go.").Wrap(err)
	case errors.As(err, &local) && local.Op == "local error", errors.As(err, &header):
		return fault.New(fault.TLSFailed, fault.StageUp, "TLS with the server failed: "+text.Phrase(err.Error())+".").
			WithHint("What arrived is not what the server sent, or the server is broken. The call is made anew.").Wrap(err)
	}
	return err
}
