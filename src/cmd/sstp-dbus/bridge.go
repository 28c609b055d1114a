package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/godbus/dbus/v5"
	"github.com/godbus/dbus/v5/introspect"

	"sstp/src/blobmsg"
)

// What the bus knows us by.
const (
	busName         = "org.openwrt.sstp"
	tunnelInterface = "org.openwrt.sstp.Tunnel"
	rootPath        = dbus.ObjectPath("/org/openwrt/sstp")

	managerInterface    = "org.freedesktop.DBus.ObjectManager"
	propertiesInterface = "org.freedesktop.DBus.Properties"
)

// bridge keeps the objects on D-Bus as the sources say that tunnels are.
type bridge struct {
	conn *dbus.Conn
	log  func(line string)
	news chan change

	mu      sync.Mutex
	tunnels map[string]*tunnel // by name
}

// tunnel is one object. It is shown from the first status that it gives.
type tunnel struct {
	name  string
	path  dbus.ObjectPath
	from  source
	shown map[string]dbus.Variant
}

func newBridge(conn *dbus.Conn, log func(line string)) *bridge {
	return &bridge{conn: conn, log: log, news: make(chan change, 64), tunnels: map[string]*tunnel{}}
}

// export puts the object manager onto the bus and asks for our name there.
func (b *bridge) export() error {
	if err := b.conn.Export(manager{b}, rootPath, managerInterface); err != nil {
		return err
	}
	if err := b.conn.Export(introspection{b}, rootPath, "org.freedesktop.DBus.Introspectable"); err != nil {
		return err
	}
	reply, err := b.conn.RequestName(busName, dbus.NameFlagDoNotQueue)
	switch {
	case err != nil:
		return fmt.Errorf("D-Bus does not let us be %s: %w", busName, err)
	case reply != dbus.RequestNameReplyPrimaryOwner:
		return fmt.Errorf("another program is %s on D-Bus already", busName)
	}
	return nil
}

// run follows the sources until ctx ends. Everything that changes the objects happens here, in order.
func (b *bridge) run(ctx context.Context, sources ...source) error {
	var watching sync.WaitGroup
	defer watching.Wait()
	for _, s := range sources {
		watching.Go(func() {
			s.watch(ctx, func(c change) {
				select {
				case b.news <- c:
				case <-ctx.Done():
				}
			})
		})
	}
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case c := <-b.news:
			if err := b.apply(ctx, c); err != nil {
				b.log(fmt.Sprintf("tunnel %s: %v", c.tunnel, err))
				if errors.Is(err, context.DeadlineExceeded) {
					b.again(ctx, c)
				}
			}
		}
	}
}

// A tunnel that is too busy to answer is asked again a few times: when it stays as it is, nothing more is told of it.
const (
	askAgainAfter = time.Second
	askTimes      = 5
)

func (b *bridge) again(ctx context.Context, c change) {
	if c.tries++; c.tries >= askTimes {
		return
	}
	time.AfterFunc(askAgainAfter, func() {
		select {
		case b.news <- c:
		case <-ctx.Done():
		}
	})
}

// apply takes note of a change.
func (b *bridge) apply(ctx context.Context, c change) error {
	b.mu.Lock()
	t := b.tunnels[c.tunnel]
	b.mu.Unlock()
	switch {
	case c.gone && (t == nil || t.from != c.from):
		return nil
	case c.gone:
		return b.remove(t)
	case t == nil:
		t = &tunnel{name: c.tunnel, path: tunnelPath(c.tunnel), from: c.from}
	case t.from != c.from: // ubus and a socket have the same name: the first one stays
		return nil
	}
	status, err := t.status(ctx)
	if err != nil {
		return err
	}
	now := values(status)
	b.mu.Lock()
	before := t.shown
	t.shown = now
	b.tunnels[t.name] = t
	b.mu.Unlock()
	if before == nil {
		return b.add(t, now)
	}
	if different := changed(before, now); len(different) > 0 {
		return b.conn.Emit(t.path, propertiesInterface+".PropertiesChanged", tunnelInterface, different, []string{})
	}
	return nil
}

func (b *bridge) add(t *tunnel, now map[string]dbus.Variant) error {
	for name, object := range map[string]any{
		tunnelInterface:                       tunnelMethods{b, t},
		propertiesInterface:                   tunnelProperties{b, t},
		"org.freedesktop.DBus.Introspectable": introspect.NewIntrospectable(describeTunnel(t.path)),
	} {
		if err := b.conn.Export(object, t.path, name); err != nil {
			return err
		}
	}
	return b.conn.Emit(rootPath, managerInterface+".InterfacesAdded", t.path, map[string]map[string]dbus.Variant{tunnelInterface: now})
}

func (b *bridge) remove(t *tunnel) error {
	b.mu.Lock()
	delete(b.tunnels, t.name)
	b.mu.Unlock()
	for _, name := range []string{tunnelInterface, propertiesInterface, "org.freedesktop.DBus.Introspectable"} {
		if err := b.conn.Export(nil, t.path, name); err != nil {
			return err
		}
	}
	return b.conn.Emit(rootPath, managerInterface+".InterfacesRemoved", t.path, []string{tunnelInterface})
}

// status asks the tunnel itself.
func (t *tunnel) status(ctx context.Context) (blobmsg.Fields, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	return t.from.call(ctx, t.name, "status")
}

// tunnelPath is the path of a tunnel's object. What D-Bus does not allow in it is written as _ and its number.
func tunnelPath(name string) dbus.ObjectPath {
	var p strings.Builder
	p.WriteString(string(rootPath) + "/tunnel/")
	for i := range len(name) {
		switch c := name[i]; {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9':
			p.WriteByte(c)
		default:
			fmt.Fprintf(&p, "_%02x", c)
		}
	}
	return dbus.ObjectPath(p.String())
}

// valid is what D-Bus takes as a string: UTF-8.
func valid(s string) string { return strings.ToValidUTF8(s, "?") }
