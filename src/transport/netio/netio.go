// Package netio is what opening a connection shares between its stages: reads and writes that end with a context, and the
// kinds of network errors.
package netio

import (
	"context"
	"errors"
	"io"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// Guard makes reads from conn and writes to it end with ctx. The function that it returns takes the guard off again; ctx
// has no effect on conn afterwards.
func Guard(ctx context.Context, conn interface{ SetDeadline(time.Time) error }) (release func()) {
	if ctx.Err() != nil { // at once: a peer that answers fast is heard before AfterFunc's goroutine runs
		conn.SetDeadline(time.Unix(1, 0))
	}
	done := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		conn.SetDeadline(time.Unix(1, 0))
		close(done)
	})
	return func() {
		if !stop() {
			<-done
		}
		conn.SetDeadline(time.Time{})
	}
}

// ReadMore appends to buf what one Read gives.
func ReadMore(r io.Reader, buf []byte) ([]byte, error) {
	if len(buf) == cap(buf) {
		buf = append(buf, make([]byte, 1024)...)[:len(buf)]
	}
	n, err := r.Read(buf[len(buf):cap(buf)])
	if n > 0 {
		err = nil
	}
	return buf[:len(buf)+n], err
}

// IsTimeout reports whether the far end was silent for too long.
func IsTimeout(err error) bool {
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded) ||
		errors.Is(err, unix.ETIMEDOUT)
}

// IsClosed reports whether the far end closed the connection, orderly or not.
func IsClosed(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, unix.ECONNRESET) ||
		errors.Is(err, unix.EPIPE) || errors.Is(err, io.ErrClosedPipe)
}
