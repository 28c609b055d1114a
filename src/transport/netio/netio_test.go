package netio

import (
	"context"
	"net"
	"testing"
)

// The stage may end between two guards, as when a proxy falls silent in a body and is dialed anew.
func TestNothingIsReadAfterTheContextHasEnded(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for range 100 {
		ours, theirs := net.Pipe()
		go theirs.Write([]byte("x"))
		release := Guard(ctx, ours)
		if _, err := ours.Read(make([]byte, 1)); !IsTimeout(err) {
			t.Fatalf("%v, want the end of the stage", err)
		}
		release()
		ours.Close()
	}
}
