package ubus

import "context"

// Object is an object of ours on the bus. It must not be changed once published.
type Object struct {
	Path        string
	Methods     []Method
	Subscribers func(active bool) // may be nil: somebody subscribes to the object now, or nobody does any more
}

// Method is a method of an object. Handler runs in a goroutine of its own, and answers when it returns; its ctx ends with
// the connection. Fields that are nil are no reply data. An error that is, or wraps, a Status is answered with it; another
// one is logged and answered with StatusUnknownError. Args must describe all arguments of which the handler wants to know
// the type: ubusd checks nothing, so a call with one of another type is answered with StatusInvalidArgument before it
// reaches the handler. All integers are one type in this. Arguments that are missing, null, or not listed are the
// handler's business.
type Method struct {
	Name    string
	Args    []Arg
	Handler func(ctx context.Context, r *Request) (Fields, error)
}

// Arg is an argument of a method.
type Arg struct {
	Name string
	Type Type
}

// Request is a call of one of our methods. User and Group are the caller's, as ubusd knows them.
type Request struct {
	Object, Method string
	Args           Fields
	User, Group    string
}

// ObjectInfo describes an object on the bus, with those methods that ubusd lets us see.
type ObjectInfo struct {
	Path    string
	ID      uint32
	Methods []Method // without handlers
}

func (o *Object) method(name string) *Method {
	for i := range o.Methods {
		if o.Methods[i].Name == name {
			return &o.Methods[i]
		}
	}
	return nil
}

// accepts says whether the arguments have the types that the method declares.
func (m *Method) accepts(args Fields) bool {
	for _, a := range m.Args {
		if v, given := args.Get(a.Name); given && !a.Type.accepts(v.typ) {
			return false
		}
	}
	return true
}

// signature is what ADD_OBJECT tells of the methods: a table for each, with the number of each argument's type.
func signature(methods []Method) Fields {
	var t Fields
	for _, m := range methods {
		var args Fields
		for _, a := range m.Args {
			args = append(args, F(a.Name, Int(int64(a.Type))))
		}
		t = append(t, F(m.Name, Tab(args...)))
	}
	return t
}

// ParseSignature reads the SIGNATURE of a message.
func ParseSignature(b []byte) ([]Method, error) {
	t, err := ParseFields(b)
	if err != nil {
		return nil, err
	}
	var methods []Method
	for _, f := range t {
		m := Method{Name: f.Name}
		for _, a := range f.Value.fields {
			n, _ := a.Value.Num()
			m.Args = append(m.Args, Arg{a.Name, Type(n)})
		}
		methods = append(methods, m)
	}
	return methods, nil
}
