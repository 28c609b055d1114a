package transport

import (
	"context"

	"sstp/src/fault"
)

// Connect goes through the stages in order and returns the open connection. An error is always a *fault.Error; where
// ctx ended, it wraps ctx's cause.
func Connect(ctx context.Context, o Options, obs Observer) (*Conn, error) {
	return nil, fault.New(fault.ConnectFailed, fault.StageConnect, "not connected")
}
