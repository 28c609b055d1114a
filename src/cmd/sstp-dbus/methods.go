package main

import (
	"context"
	"errors"

	"github.com/godbus/dbus/v5"
	"github.com/godbus/dbus/v5/introspect"
	"github.com/godbus/dbus/v5/prop"

	"sstp/src/ubus"
)

// manager is the object manager: it lists the tunnels.
type manager struct{ b *bridge }

func (m manager) GetManagedObjects() (map[dbus.ObjectPath]map[string]map[string]dbus.Variant, *dbus.Error) {
	m.b.mu.Lock()
	defer m.b.mu.Unlock()
	objects := map[dbus.ObjectPath]map[string]map[string]dbus.Variant{}
	for _, t := range m.b.tunnels {
		objects[t.path] = map[string]map[string]dbus.Variant{tunnelInterface: t.shown}
	}
	return objects, nil
}

// tunnelMethods are the methods of interface Tunnel.
type tunnelMethods struct {
	b *bridge
	t *tunnel
}

// Reconnect ends the call that runs and has the server dialed again.
func (m tunnelMethods) Reconnect() *dbus.Error {
	ctx, cancel := context.WithTimeout(m.b.conn.Context(), callTimeout)
	defer cancel()
	_, err := m.t.from.call(ctx, m.t.name, "reconnect")
	return failure(err)
}

// Status returns the tunnel's whole status, as ubus has it.
func (m tunnelMethods) Status() (map[string]dbus.Variant, *dbus.Error) {
	ctx, cancel := context.WithTimeout(m.b.conn.Context(), callTimeout)
	defer cancel()
	fields, err := m.t.from.call(ctx, m.t.name, "status")
	if err != nil {
		return nil, failure(err)
	}
	return variants(fields), nil
}

// tunnelProperties answers for the properties.
type tunnelProperties struct {
	b *bridge
	t *tunnel
}

func (p tunnelProperties) Get(of, name string) (dbus.Variant, *dbus.Error) {
	all, err := p.GetAll(of)
	if err != nil {
		return dbus.Variant{}, err
	}
	v, known := all[name]
	if !known {
		return dbus.Variant{}, dbus.NewError("org.freedesktop.DBus.Error.UnknownProperty", []any{"interface Tunnel has no property " + valid(name)})
	}
	return v, nil
}

func (p tunnelProperties) GetAll(of string) (map[string]dbus.Variant, *dbus.Error) {
	if of != tunnelInterface && of != "" {
		return nil, dbus.NewError("org.freedesktop.DBus.Error.UnknownInterface", []any{"a tunnel has no properties of interface " + valid(of)})
	}
	s, err := p.t.status(p.b.conn.Context())
	if err != nil {
		return nil, failure(err)
	}
	return values(s), nil
}

func (p tunnelProperties) Set(of, name string, _ dbus.Variant) *dbus.Error {
	return dbus.NewError("org.freedesktop.DBus.Error.PropertyReadOnly", []any{"a tunnel's properties cannot be set"})
}

// failure is the error that a caller on D-Bus gets for one of ours.
func failure(err error) *dbus.Error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, ubus.StatusPermissionDenied):
		return dbus.NewError("org.freedesktop.DBus.Error.AccessDenied", []any{"ubus does not let sstp-dbus do this: " + err.Error()})
	}
	return dbus.NewError("org.freedesktop.DBus.Error.Failed", []any{valid(err.Error())})
}

// introspection describes the object manager's object.
type introspection struct{ b *bridge }

func (i introspection) Introspect() (string, *dbus.Error) {
	i.b.mu.Lock()
	defer i.b.mu.Unlock()
	node := introspect.Node{Name: string(rootPath), Interfaces: []introspect.Interface{introspect.IntrospectData, managerDescription}}
	if len(i.b.tunnels) > 0 {
		node.Children = []introspect.Node{{Name: "tunnel"}} // the library lists what is below
	}
	return introspect.NewIntrospectable(&node).Introspect()
}

var managerDescription = introspect.Interface{
	Name:    managerInterface,
	Methods: []introspect.Method{{Name: "GetManagedObjects", Args: []introspect.Arg{{Name: "objects", Type: "a{oa{sa{sv}}}", Direction: "out"}}}},
	Signals: []introspect.Signal{
		{Name: "InterfacesAdded", Args: []introspect.Arg{{Name: "object", Type: "o"}, {Name: "interfaces", Type: "a{sa{sv}}"}}},
		{Name: "InterfacesRemoved", Args: []introspect.Arg{{Name: "object", Type: "o"}, {Name: "interfaces", Type: "as"}}},
	},
}

// describeTunnel describes a tunnel's object.
func describeTunnel(path dbus.ObjectPath) *introspect.Node {
	described := introspect.Interface{
		Name: tunnelInterface,
		Methods: []introspect.Method{
			{Name: "Reconnect"},
			{Name: "Status", Args: []introspect.Arg{{Name: "status", Type: "a{sv}", Direction: "out"}}},
		},
	}
	for _, p := range properties {
		emits := "true"
		if p.live {
			emits = "false"
		}
		described.Properties = append(described.Properties, introspect.Property{
			Name: p.name, Type: p.signature, Access: "read",
			Annotations: []introspect.Annotation{{Name: "org.freedesktop.DBus.Property.EmitsChangedSignal", Value: emits}},
		})
	}
	return &introspect.Node{Name: string(path), Interfaces: []introspect.Interface{introspect.IntrospectData, prop.IntrospectData, described}}
}
