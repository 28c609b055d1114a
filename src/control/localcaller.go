package control

import (
	"bufio"
	"context"
	"errors"
	"io/fs"
	"net"

	"golang.org/x/sys/unix"

	"sstp/src/blobmsg"
	"sstp/src/ubus"
)

// CallLocal asks the tunnel behind a socket one thing. The error is a ubus.Status where the tunnel refuses, and
// ubus.StatusNotFound where there is none: no socket, or one that a program left behind that was killed.
func CallLocal(ctx context.Context, path, method string, args blobmsg.Fields) (blobmsg.Fields, error) {
	answer, err := askLocal(ctx, path, blobmsg.Tab(blobmsg.F("method", blobmsg.String(method)), blobmsg.F("args", blobmsg.Tab(args...))))
	status, ok := answer.Number("status")
	switch {
	case err != nil && ctx.Err() != nil:
		return nil, context.Cause(ctx)
	case errors.Is(err, fs.ErrPermission):
		return nil, errors.New("the tunnel is another user's\nhint: ask as root")
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, unix.ECONNREFUSED), errors.Is(err, unix.EINVAL): // too long a name
		return nil, ubus.StatusNotFound
	case err != nil:
		return nil, err
	case !ok:
		return nil, ubus.StatusUnknownError
	case status != int64(ubus.StatusOK):
		return nil, ubus.Status(status)
	}
	return answer.Table("reply"), nil
}

// askLocal asks one question on a connection of its own.
func askLocal(ctx context.Context, path string, question blobmsg.Value) (blobmsg.Fields, error) {
	c, err := dialLocal(ctx, path)
	if err != nil {
		return nil, err
	}
	defer c.close()
	if err := c.ask(question); err != nil {
		return nil, err
	}
	return c.next()
}

// HearLocal calls f for each event of the tunnel behind a socket, until ctx ends or the tunnel does. Ready is called once
// no event is missed any more.
func HearLocal(ctx context.Context, path string, ready func(), f func(event string, data blobmsg.Fields)) error {
	c, err := dialLocal(ctx, path)
	if err != nil {
		return err
	}
	defer c.close()
	if err := c.ask(blobmsg.Tab(blobmsg.F("listen", blobmsg.Bool(true)))); err != nil {
		return err
	}
	if _, err := c.next(); err != nil {
		return err
	}
	ready()
	for {
		told, err := c.next()
		if err != nil {
			return err
		}
		if event := told.Text("event"); event != "" {
			f(event, told.Table("data"))
		}
	}
}

// localConn is a connection to a Local.
type localConn struct {
	conn  net.Conn
	lines *bufio.Scanner
	stop  func() bool
}

func dialLocal(ctx context.Context, path string) (*localConn, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "unix", path)
	if err != nil {
		return nil, err
	}
	c := &localConn{conn: conn, lines: bufio.NewScanner(conn), stop: context.AfterFunc(ctx, func() { conn.Close() })}
	c.lines.Buffer(nil, maxLine)
	return c, nil
}

func (c *localConn) close() {
	c.stop()
	c.conn.Close()
}

func (c *localConn) ask(question blobmsg.Value) error {
	return writeLine(c.conn, blobmsg.AppendJSON(nil, question))
}

func (c *localConn) next() (blobmsg.Fields, error) {
	if !c.lines.Scan() {
		if err := c.lines.Err(); err != nil {
			return nil, err
		}
		return nil, errors.New("the tunnel's program hung up")
	}
	v, err := blobmsg.ParseJSON(c.lines.Bytes())
	return v.Fields(), err
}
