package ubus

// The Add methods append a field to a table in the making. What has many fields is built with them rather than of values:
// that takes a fraction of the program's size.

// AddText appends a STRING.
func (t *Fields) AddText(name, s string) { *t = append(*t, Field{name, String(s)}) }

// AddSome appends a STRING that is not empty.
func (t *Fields) AddSome(name, s string) {
	if s != "" {
		t.AddText(name, s)
	}
}

// AddNumber appends an INT32 or INT64, as Int chooses.
func (t *Fields) AddNumber(name string, n int64) { *t = append(*t, Field{name, Int(n)}) }

// AddCount appends an INT64.
func (t *Fields) AddCount(name string, n int64) { *t = append(*t, Field{name, Int64(n)}) }

// AddFlag appends a boolean.
func (t *Fields) AddFlag(name string, b bool) { *t = append(*t, Field{name, Bool(b)}) }

// AddDouble appends a DOUBLE.
func (t *Fields) AddDouble(name string, f float64) { *t = append(*t, Field{name, Double(f)}) }

// AddTable appends a TABLE.
func (t *Fields) AddTable(name string, inner Fields) { *t = append(*t, Field{name, Tab(inner...)}) }

// AddTexts appends an ARRAY of STRINGs, an empty one too.
func (t *Fields) AddTexts(name string, list []string) {
	items := make([]Value, len(list))
	for i, s := range list {
		items[i] = String(s)
	}
	*t = append(*t, Field{name, Array(items...)})
}

// AddTables appends an ARRAY of TABLEs, an empty one too.
func (t *Fields) AddTables(name string, list []Fields) {
	items := make([]Value, len(list))
	for i, f := range list {
		items[i] = Tab(f...)
	}
	*t = append(*t, Field{name, Array(items...)})
}

// Texts returns the STRINGs of an ARRAY field, or the one of a STRING field; what is of another type is left out.
func (t Fields) Texts(name string) []string {
	v, _ := t.Get(name)
	if v.typ == TypeString {
		return []string{v.text}
	}
	var list []string
	for _, item := range v.items {
		if item.typ == TypeString {
			list = append(list, item.text)
		}
	}
	return list
}

// Tables returns the TABLEs of an ARRAY field.
func (t Fields) Tables(name string) []Fields {
	var list []Fields
	for _, item := range t.List(name) {
		if item.typ == TypeTable {
			list = append(list, item.fields)
		}
	}
	return list
}
