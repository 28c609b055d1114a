package blobmsg

import (
	"math"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// AppendJSON appends v as libblobmsg_json writes it, without white space: numbers signed, doubles with six decimals. It
// differs where that would not be JSON: a field without a name keeps its colon, and a double that is not a number is null.
func AppendJSON(dst []byte, v Value) []byte {
	switch v.typ {
	case TypeArray:
		dst = append(dst, '[')
		for i, item := range v.items {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = AppendJSON(dst, item)
		}
		return append(dst, ']')
	case TypeTable:
		dst = append(dst, '{')
		for i, f := range v.fields {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = append(appendJSONString(dst, f.Name), ':')
			dst = AppendJSON(dst, f.Value)
		}
		return append(dst, '}')
	case TypeString:
		return appendJSONString(dst, v.text)
	case TypeInt64, TypeInt32, TypeInt16:
		return strconv.AppendInt(dst, v.num, 10)
	case TypeBool:
		return strconv.AppendBool(dst, v.num != 0)
	case TypeDouble:
		if f, _ := v.Float(); !math.IsNaN(f) && !math.IsInf(f, 0) {
			return strconv.AppendFloat(dst, f, 'f', 6, 64)
		}
	}
	return append(dst, "null"...)
}

// appendJSONString escapes what RFC 8259 demands and nothing else; bytes that are no UTF-8 stay as they are.
func appendJSONString(dst []byte, s string) []byte {
	const hex = "0123456789abcdef"
	dst = append(dst, '"')
	for i := range len(s) {
		switch c := s[i]; c {
		case '\b':
			dst = append(dst, '\\', 'b')
		case '\n':
			dst = append(dst, '\\', 'n')
		case '\t':
			dst = append(dst, '\\', 't')
		case '\r':
			dst = append(dst, '\\', 'r')
		case '"', '\\':
			dst = append(dst, '\\', c)
		default:
			if c < ' ' {
				dst = append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
			} else {
				dst = append(dst, c)
			}
		}
	}
	return append(dst, '"')
}

// JSONError reports the byte at which a text stops being JSON that blobmsg can hold.
type JSONError struct {
	Offset int
	Text   string
}

func (e *JSONError) Error() string { return "at byte " + strconv.Itoa(e.Offset) + ": " + e.Text }

// ParseJSON reads a JSON value (RFC 8259) into the types that libblobmsg_json chooses: INT32 where a number fits in one,
// else INT64, which the largest numbers saturate; DOUBLE for a number with a point or an exponent. Of a key that stands
// twice the last value counts. A string with \u0000 is refused: no blobmsg string can hold it.
func ParseJSON(b []byte) (Value, error) {
	p := &jsonParser{b: b, values: maxValues}
	v := p.value(maxDepth)
	if p.skipBlank(); p.err == nil && p.pos < len(p.b) {
		p.fail("there is something behind the value")
	}
	if p.err != nil {
		return Value{}, p.err
	}
	return v, nil
}

// jsonParser reads b. The first error stays in err, and every method is a no-op from then on.
type jsonParser struct {
	b      []byte
	pos    int
	values int // how many more there may be
	err    error
}

func (p *jsonParser) fail(text string) {
	if p.err == nil {
		p.err = &JSONError{Offset: p.pos, Text: text}
	}
}

func (p *jsonParser) skipBlank() {
	for p.pos < len(p.b) && strings.IndexByte(" \t\r\n", p.b[p.pos]) >= 0 {
		p.pos++
	}
}

// next returns the next byte without taking it, 0 at the end and after a fault.
func (p *jsonParser) next() byte {
	if p.err != nil || p.pos >= len(p.b) {
		return 0
	}
	return p.b[p.pos]
}

// take takes the next byte if it is c.
func (p *jsonParser) take(c byte) bool {
	if p.err != nil || p.pos >= len(p.b) || p.b[p.pos] != c {
		return false
	}
	p.pos++
	return true
}

func (p *jsonParser) value(depth int) Value {
	if p.values--; p.values < 0 {
		p.fail("there are too many values")
	}
	p.skipBlank()
	switch c := p.next(); {
	case c == '{':
		return p.object(depth)
	case c == '[':
		return p.array(depth)
	case c == '"':
		return Value{typ: TypeString, text: p.str()}
	case c == '-' || isDigit(c):
		return p.number()
	case c == 't':
		return p.word("true", Bool(true))
	case c == 'f':
		return p.word("false", Bool(false))
	case c == 'n':
		return p.word("null", Value{})
	}
	p.fail("a value is missing")
	return Value{}
}

func (p *jsonParser) word(w string, v Value) Value {
	for i := range len(w) {
		if !p.take(w[i]) {
			p.fail("this is no value")
		}
	}
	return v
}

func (p *jsonParser) object(depth int) Value {
	var t Fields
	at := map[string]int{}
	p.list('}', depth, func() {
		name := p.str()
		if p.skipBlank(); !p.take(':') {
			p.fail("a colon is missing")
		}
		v := p.value(depth - 1)
		if i, twice := at[name]; twice {
			t[i].Value = v
			return
		}
		at[name] = len(t)
		t = append(t, Field{name, v})
	})
	return Value{typ: TypeTable, fields: t}
}

func (p *jsonParser) array(depth int) Value {
	var items []Value
	p.list(']', depth, func() { items = append(items, p.value(depth-1)) })
	return Value{typ: TypeArray, items: items}
}

// list reads the elements between commas, up to the closing byte.
func (p *jsonParser) list(end byte, depth int, element func()) {
	if depth == 0 {
		p.fail("values are nested too deeply")
		return
	}
	p.pos++
	if p.skipBlank(); p.take(end) {
		return
	}
	for p.err == nil {
		p.skipBlank()
		element()
		if p.skipBlank(); p.take(end) {
			return
		}
		if !p.take(',') {
			p.fail("a comma or the end of the list is missing")
		}
	}
}

// number reads a number (RFC 8259 section 6).
func (p *jsonParser) number() Value {
	start := p.pos
	p.take('-')
	zero := p.next() == '0'
	if n := p.digits(); n == 0 || zero && n > 1 {
		p.fail("this is no number")
	}
	whole := true
	if p.take('.') {
		whole = false
		p.someDigits()
	}
	if p.take('e') || p.take('E') {
		whole = false
		if !p.take('-') {
			p.take('+')
		}
		p.someDigits()
	}
	if p.err != nil {
		return Value{}
	}
	// Both conversions return the nearest possible value for one out of range, as json-c does.
	text := string(p.b[start:p.pos])
	if whole {
		n, _ := strconv.ParseInt(text, 10, 64)
		return Int(n)
	}
	return Double(decimal(text))
}

// decimal reads a number with a fraction or an exponent. It reads back exactly what AppendJSON writes of a number below
// 2^53, and is right to a few units in the 15th digit of others. The bus needs no more, and strconv.ParseFloat takes 7 KiB of
// flash.
func decimal(text string) float64 {
	digits, exponent, _ := strings.Cut(strings.ToLower(text), "e")
	power, _ := strconv.ParseInt(exponent, 10, 32)
	whole, fraction, _ := strings.Cut(strings.TrimPrefix(digits, "-"), ".")
	read := func(digits string) (f float64) {
		for _, c := range digits {
			f = f*10 + float64(c-'0')
		}
		return f
	}
	const most = 300 // digits; more are beyond what any number holds
	fraction = fraction[:min(len(fraction), most)]
	f := read(whole) + read(fraction)/math.Pow10(len(fraction))
	if power != 0 {
		f *= math.Pow10(int(power))
	}
	f = min(f, math.MaxFloat64)
	if math.IsNaN(f) { // more digits before the point than a number can have, and an exponent that takes them all away
		f = 0
	}
	if text[0] == '-' {
		f = -f
	}
	return f
}

func (p *jsonParser) digits() (n int) {
	for isDigit(p.next()) {
		p.pos++
		n++
	}
	return n
}

func (p *jsonParser) someDigits() {
	if p.digits() == 0 {
		p.fail("this is no number")
	}
}

// str reads a string (RFC 8259 section 7).
func (p *jsonParser) str() string {
	if !p.take('"') {
		p.fail("a string is missing")
		return ""
	}
	var out []byte
	for p.err == nil && p.pos < len(p.b) {
		c := p.b[p.pos]
		switch {
		case c == '"':
			p.pos++
			return string(out)
		case c == '\\':
			out = p.escape(out)
		case c < ' ':
			p.fail("a control character stands in a string")
		default:
			p.pos++
			out = append(out, c)
		}
	}
	p.fail("a string has no end")
	return ""
}

// escape appends what a backslash and its followers stand for.
func (p *jsonParser) escape(out []byte) []byte {
	p.pos++
	const names, bytes = `"\/bfnrt`, "\"\\/\b\f\n\r\t"
	if i := strings.IndexByte(names, p.next()); i >= 0 && p.next() != 0 {
		p.pos++
		return append(out, bytes[i])
	}
	if !p.take('u') {
		p.fail("an unknown escape stands in a string")
		return out
	}
	r := p.hex4()
	if r == 0 {
		p.fail("a string holds \\u0000")
	}
	if utf16.IsSurrogate(r) {
		// Two halves make one character; half of a pair becomes the replacement character, and what follows it stays.
		behind, second := p.pos, rune(0)
		if p.take('\\') && p.take('u') {
			second = p.hex4()
		}
		if r = utf16.DecodeRune(r, second); r == utf8.RuneError {
			p.pos = behind
		}
	}
	return utf8.AppendRune(out, r)
}

func (p *jsonParser) hex4() rune {
	if p.err != nil || len(p.b)-p.pos < 4 {
		p.fail("four hexadecimal digits are missing")
		return utf8.RuneError
	}
	n, err := strconv.ParseUint(string(p.b[p.pos:p.pos+4]), 16, 16)
	if err != nil {
		p.fail("four hexadecimal digits are missing")
		return utf8.RuneError
	}
	p.pos += 4
	return rune(n)
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }
