package control

import (
	"bufio"
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"sstp/src/blobmsg"
	"sstp/src/ubus"
)

// LocalFolder is where the sockets of tunnels are that run without ubus.
const LocalFolder = "/var/run/sstp"

// localSuffix is what the name of a socket ends with; the interface's name is before it.
const localSuffix = ".sock"

const (
	maxLine      = 64 << 10         // of a question or an answer
	maxCallers   = 16               // connections at a time
	localTimeout = 10 * time.Second // to take an answer
)

// LocalSocket is the path of the socket of a tunnel.
func LocalSocket(folder, name string) string { return filepath.Join(folder, name+localSuffix) }

// Local is the bus of a machine that has no ubus: a socket that one tunnel's object is asked on. Only the user whose program
// it is can connect. Questions and answers are lines of JSON:
//
//	{"method":"status","args":{}}     {"status":0,"reply":{...}}
//	{"listen":true}                   {"status":0,"reply":{}}, and from then on {"event":"sstp","data":{...}} for each event
type Local struct {
	listener *net.UnixListener
	ctx      context.Context
	cancel   context.CancelFunc
	work     sync.WaitGroup
	slots    chan struct{}

	mu        sync.Mutex
	object    *ubus.Object
	listeners map[net.Conn]bool
}

// ListenLocal makes the socket, and the folder it is in. What a program that has died left there is replaced; where another
// one answers, the error says so.
func ListenLocal(path string) (*Local, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, err
	}
	if old, err := net.Dial("unix", path); err == nil {
		old.Close()
		return nil, errors.New(path + " is served by another process")
	}
	os.Remove(path)
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(path, 0o600); err != nil {
		listener.Close()
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	l := &Local{listener: listener, ctx: ctx, cancel: cancel, slots: make(chan struct{}, maxCallers), listeners: map[net.Conn]bool{}}
	l.work.Go(l.accept)
	return l, nil
}

// Close ends all conversations and removes the socket.
func (l *Local) Close() {
	l.cancel()
	l.listener.Close()
	l.work.Wait()
}

// Publish makes o the object that answers.
func (l *Local) Publish(o *ubus.Object) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.object = o
}

// Withdraw takes the object back.
func (l *Local) Withdraw(path string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.object != nil && l.object.Path == path {
		l.object = nil
	}
}

// Send tells an event to all who listen. Who does not take it is hung up on.
func (l *Local) Send(_ context.Context, event string, data blobmsg.Fields) error {
	line := blobmsg.AppendJSON(nil, blobmsg.Tab(blobmsg.F("event", blobmsg.String(event)), blobmsg.F("data", blobmsg.Tab(data...))))
	l.mu.Lock()
	defer l.mu.Unlock()
	for conn := range l.listeners {
		if writeLine(conn, line) != nil {
			conn.Close()
			delete(l.listeners, conn)
		}
	}
	return nil
}

func (l *Local) accept() {
	for {
		conn, err := l.listener.AcceptUnix()
		if err != nil {
			return
		}
		if !ours(conn) {
			conn.Close()
			continue
		}
		select {
		case l.slots <- struct{}{}:
			l.work.Go(func() {
				l.serve(conn)
				<-l.slots
			})
		default:
			conn.Close()
		}
	}
}

// ours reports whether the caller is our own user or root. The socket's permissions ensure that too, but only soon after it is
// made.
func ours(conn *net.UnixConn) bool {
	raw, err := conn.SyscallConn()
	if err != nil {
		return false
	}
	allowed := false
	err = raw.Control(func(fd uintptr) {
		caller, err := unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
		allowed = err == nil && (caller.Uid == 0 || int(caller.Uid) == os.Geteuid())
	})
	return err == nil && allowed
}

// serve answers the questions of one connection.
func (l *Local) serve(conn net.Conn) {
	stop := context.AfterFunc(l.ctx, func() { conn.Close() })
	defer stop()
	defer func() {
		l.mu.Lock()
		delete(l.listeners, conn)
		l.mu.Unlock()
		conn.Close()
	}()
	lines := bufio.NewScanner(conn)
	lines.Buffer(nil, maxLine)
	for lines.Scan() {
		question, err := blobmsg.ParseJSON(lines.Bytes())
		if err != nil {
			return
		}
		listen, _ := question.Fields().Flag("listen")
		var reply blobmsg.Fields
		if !listen {
			reply, err = l.answer(question.Fields())
		}
		status := ubus.StatusOK
		if err != nil && !errors.As(err, &status) {
			status = ubus.StatusUnknownError
		}
		line := blobmsg.AppendJSON(nil, blobmsg.Tab(blobmsg.F("status", blobmsg.Int(int64(status))), blobmsg.F("reply", blobmsg.Tab(reply...))))
		l.mu.Lock() // events are written too
		if listen {
			l.listeners[conn] = true
		}
		err = writeLine(conn, line)
		l.mu.Unlock()
		if err != nil {
			return
		}
	}
}

func (l *Local) answer(question blobmsg.Fields) (blobmsg.Fields, error) {
	l.mu.Lock()
	object := l.object
	l.mu.Unlock()
	if object == nil {
		return nil, ubus.StatusNotFound
	}
	for _, m := range object.Methods {
		if m.Name == question.Text("method") {
			return m.Handler(l.ctx, &ubus.Request{Object: object.Path, Method: m.Name, Args: question.Table("args"), User: "the local socket"})
		}
	}
	return nil, ubus.StatusMethodNotFound
}

func writeLine(conn net.Conn, line []byte) error {
	conn.SetWriteDeadline(time.Now().Add(localTimeout))
	_, err := conn.Write(append(line, '\n'))
	return err
}

// LocalTunnels lists the interfaces that have a socket in the folder.
func LocalTunnels(folder string) []string {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return nil
	}
	var names []string
	for _, e := range entries {
		if name, ok := strings.CutSuffix(e.Name(), localSuffix); ok && e.Type()&os.ModeSocket != 0 {
			names = append(names, name)
		}
	}
	return names
}
