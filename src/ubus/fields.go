package ubus

// Field is a named value of a table.
type Field struct {
	Name  string
	Value Value
}

// Fields are the contents of a table, in order. blobmsg allows a name to stand twice; libubox's readers take the first.
type Fields []Field

// F returns a field.
func F(name string, v Value) Field { return Field{name, v} }

// Get returns the value of the first field of that name.
func (t Fields) Get(name string) (Value, bool) {
	for i := range t {
		if t[i].Name == name {
			return t[i].Value, true
		}
	}
	return Value{}, false
}

// Text returns a STRING field, "" where there is none.
func (t Fields) Text(name string) string {
	v, _ := t.Get(name)
	return v.text
}

// Number returns an integer field of any width.
func (t Fields) Number(name string) (int64, bool) {
	v, _ := t.Get(name)
	return v.Num()
}

// Flag returns a boolean field.
func (t Fields) Flag(name string) (value, ok bool) {
	v, _ := t.Get(name)
	return v.Truth()
}

// Table returns the contents of a TABLE field, nil where there is none.
func (t Fields) Table(name string) Fields {
	v, _ := t.Get(name)
	return v.fields
}

// List returns the elements of an ARRAY field, nil where there is none.
func (t Fields) List(name string) []Value {
	v, _ := t.Get(name)
	return v.items
}
