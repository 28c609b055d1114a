package ubus

import (
	"context"
	"net"
)

// String returns a STRING.
func String(s string) Value { return Value{typ: TypeString, text: s} }

// Int returns an INT32 where n fits in one, else an INT64, as libblobmsg_json chooses.
func Int(n int64) Value { return Value{typ: TypeInt32, num: n} }

// Int64 returns an INT64.
func Int64(n int64) Value { return Value{typ: TypeInt64, num: n} }

// Bool returns a boolean.
func Bool(b bool) Value { return Value{typ: TypeBool} }

// Double returns a DOUBLE.
func Double(f float64) Value { return Value{typ: TypeDouble} }

// Array returns an ARRAY.
func Array(v ...Value) Value { return Value{typ: TypeArray, items: v} }

// Tab returns a TABLE.
func Tab(f ...Field) Value { return Value{typ: TypeTable, fields: f} }

// F returns a field.
func F(name string, v Value) Field { return Field{name, v} }

// Type returns the type of the value.
func (v Value) Type() Type { return v.typ }

// Str returns the text of a STRING.
func (v Value) Str() (string, bool) { return v.text, v.typ == TypeString }

// Num returns an integer of any width.
func (v Value) Num() (int64, bool) { return v.num, false }

// Truth returns a boolean; an integer of another width is true where it is not 0.
func (v Value) Truth() (bool, bool) { return false, false }

// Float returns a DOUBLE, or an integer as one.
func (v Value) Float() (float64, bool) { return 0, false }

// Items returns the elements of an ARRAY.
func (v Value) Items() []Value { return v.items }

// Fields returns the contents of a TABLE.
func (v Value) Fields() Fields { return v.fields }

// Get returns the value of the first field of that name.
func (t Fields) Get(name string) (Value, bool) { return Value{}, false }

// Text returns a STRING field, or "".
func (t Fields) Text(name string) string { return "" }

// Number returns an integer field.
func (t Fields) Number(name string) (int64, bool) { return 0, false }

// Flag returns a boolean field.
func (t Fields) Flag(name string) (value, ok bool) { return false, false }

// Table returns the contents of a TABLE field.
func (t Fields) Table(name string) Fields { return nil }

// List returns the elements of an ARRAY field.
func (t Fields) List(name string) []Value { return nil }

// AppendFields appends the fields in blobmsg.
func AppendFields(dst []byte, t Fields) []byte { return dst }

// ParseFields reads what AppendFields writes.
func ParseFields(b []byte) (Fields, error) { return nil, nil }

// AppendJSON appends v as JSON.
func AppendJSON(dst []byte, v Value) []byte { return dst }

// ParseJSON reads a JSON value.
func ParseJSON(b []byte) (Value, error) { return Value{}, nil }

// Status is the result of a request on the bus. As an error it is one of the codes other than StatusOK.
type Status uint32

// The status codes of ubus.
const (
	StatusOK Status = iota
	StatusInvalidCommand
	StatusInvalidArgument
	StatusMethodNotFound
	StatusNotFound
	StatusNoData
	StatusPermissionDenied
	StatusTimeout
	StatusNotSupported
	StatusUnknownError
	StatusConnectionFailed
	StatusNoMemory
	StatusParseError
	StatusSystemError
)

// Error returns the words of the ubus tool for the code.
func (s Status) Error() string { return "" }

// CallError is a request that failed: errors.Is finds the Status, or the context's error, in it.
type CallError struct {
	Object, Method string
	Err            error
}

func (e *CallError) Error() string { return "" }

// Unwrap returns the cause.
func (e *CallError) Unwrap() error { return e.Err }

// Options say how to reach ubusd and whom to tell. All may be left empty.
type Options struct {
	Socket    string                                      // empty: /var/run/ubus/ubus.sock, then /var/run/ubus.sock
	Dial      func(ctx context.Context) (net.Conn, error) // nil: Socket
	Connected func()                                      // everything is registered (again); calls may be made from it
	Lost      func(err error)                             // the connection is gone, or could not be made
	Log       func(line string)                           // what went wrong in the background
}

// Client is a participant of the bus.
type Client struct{}

// New returns a client that does nothing before Run.
func New(o Options) *Client { return &Client{} }

// Dial connects once, for a program that makes a few calls and ends. Nothing is connected again; Close ends it.
func Dial(ctx context.Context, o Options) (*Client, error) { return nil, nil }

// Close ends a client of Dial.
func (c *Client) Close() error { return nil }

// Run keeps the connection until ctx ends.
func (c *Client) Run(ctx context.Context) error { return nil }

// Connected says whether ubusd can be reached now.
func (c *Client) Connected() bool { return false }

// Call invokes a method and returns its reply. Without a connection it waits for one until ctx ends.
func (c *Client) Call(ctx context.Context, object, method string, args Fields) (Fields, error) {
	return nil, nil
}

// List returns the objects whose path is pattern, or begins with it where it ends in *; all where it is empty.
func (c *Client) List(ctx context.Context, pattern string) ([]ObjectInfo, error) { return nil, nil }

// Send sends an event.
func (c *Client) Send(ctx context.Context, event string, data Fields) error { return nil }

// Publish registers an object, now and after each reconnect.
func (c *Client) Publish(o *Object) {}

// Withdraw removes an object that Publish registered.
func (c *Client) Withdraw(path string) {}

// Listen calls f for each event whose name is pattern, or begins with it where it ends in *.
func (c *Client) Listen(pattern string, f func(event string, data Fields)) {}

// Unlisten ends what Listen began for the pattern.
func (c *Client) Unlisten(pattern string) {}

// Subscribe calls f for each notification of the object with that path, as often as it comes back.
func (c *Client) Subscribe(path string, f func(kind string, data Fields)) {}

// Unsubscribe ends what Subscribe began for the path.
func (c *Client) Unsubscribe(path string) {}

// Notify tells the subscribers of our object with that path.
func (c *Client) Notify(path, kind string, data Fields) error { return nil }

// Object is an object of ours.
type Object struct {
	Path        string
	Methods     []Method
	Subscribers func(active bool) // may be nil: the first subscriber came, the last one went
}

// Method is a method of an object.
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

// Request is a call of one of our methods.
type Request struct {
	Object, Method string
	Args           Fields
	User, Group    string
}

// ObjectInfo describes an object on the bus.
type ObjectInfo struct {
	Path    string
	ID      uint32
	Methods []Method // without handlers
}
