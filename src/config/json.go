package config

import (
	"strconv"
	"unicode/utf16"
	"unicode/utf8"

	"sstp/src/fault"
)

// maxDepth limits nested values, which are only skipped.
const maxDepth = 64

// ParseJSON reads the JSON object in which netifd hands a protocol handler its options (RFC 8259). Text, numbers and
// booleans become one value, arrays of them several; numbers keep their spelling, true and false become "1" and "0",
// null is an absent option. Of a key that stands twice, as netifd writes mtu, the last one counts. Nested objects and
// arrays are skipped. Bytes that are not UTF-8 are kept as they are.
func ParseJSON(data []byte) (Values, error) {
	d := &jsonDecoder{b: data}
	v := Values{}
	d.object(func(key string) {
		delete(v, key)
		if values := d.value(true); values != nil {
			v[key] = values
		}
	})
	d.blank()
	if !d.bad && d.pos < len(d.b) {
		d.bad = true
	}
	if d.bad {
		return nil, fault.New(fault.InvalidOptions, fault.StageConfig,
			"The configuration handed over by netifd is not a JSON object; it goes wrong at byte "+strconv.Itoa(d.pos)+".").
			WithHint("The handler of the protocol and the program do not fit together: install both from one package.")
	}
	return v, nil
}

// jsonDecoder walks through b. Once something is wrong, bad stays set and every method is a no-op.
type jsonDecoder struct {
	b     []byte
	pos   int
	depth int
	bad   bool
}

func (d *jsonDecoder) blank() {
	for d.pos < len(d.b) && (d.b[d.pos] == ' ' || d.b[d.pos] == '\t' || d.b[d.pos] == '\n' || d.b[d.pos] == '\r') {
		d.pos++
	}
}

// peek returns the next byte that is not blank, 0 at the end.
func (d *jsonDecoder) peek() byte {
	d.blank()
	if d.bad || d.pos >= len(d.b) {
		return 0
	}
	return d.b[d.pos]
}

// accept takes the next byte if it is c.
func (d *jsonDecoder) accept(c byte) bool {
	if d.peek() != c || d.bad || d.pos >= len(d.b) {
		return false
	}
	d.pos++
	return true
}

func (d *jsonDecoder) expect(c byte) {
	if !d.accept(c) {
		d.bad = true
	}
}

// object calls member with each key; member reads the value.
func (d *jsonDecoder) object(member func(key string)) {
	d.expect('{')
	d.list('}', func() {
		d.blank()
		key := d.text()
		d.expect(':')
		if !d.bad {
			member(key)
		}
	})
}

// list reads elements between commas up to the closing byte.
func (d *jsonDecoder) list(end byte, element func()) {
	if d.depth++; d.depth > maxDepth {
		d.bad = true
	}
	if !d.accept(end) {
		for !d.bad {
			element()
			if d.accept(end) {
				break
			}
			d.expect(',')
		}
	}
	d.depth--
}

// value reads any value. It returns nil for what is no value of an option.
func (d *jsonDecoder) value(arrays bool) (values []string) {
	switch c := d.peek(); {
	case c == '"':
		return []string{d.text()}
	case c == '-' || isDigit(c):
		return []string{d.number()}
	case c == 't':
		d.word("true")
		return []string{"1"}
	case c == 'f':
		d.word("false")
		return []string{"0"}
	case c == 'n':
		d.word("null")
	case c == '{':
		d.object(func(string) { d.value(false) })
	case c == '[':
		d.pos++
		d.list(']', func() { values = append(values, d.value(false)...) })
		if !arrays {
			return nil
		}
	default:
		d.bad = true
	}
	return values
}

func (d *jsonDecoder) word(w string) {
	if len(d.b)-d.pos < len(w) || string(d.b[d.pos:d.pos+len(w)]) != w {
		d.bad = true
		return
	}
	d.pos += len(w)
}

func (d *jsonDecoder) digits() (n int) {
	for d.pos < len(d.b) && isDigit(d.b[d.pos]) {
		d.pos++
		n++
	}
	return n
}

// number reads a number (RFC 8259 section 6) and returns its text.
func (d *jsonDecoder) number() string {
	start := d.pos
	at := func(c byte) bool { return d.pos < len(d.b) && d.b[d.pos] == c }
	if at('-') {
		d.pos++
	}
	zero := at('0')
	n := d.digits()
	ok := n == 1 || n > 1 && !zero
	if at('.') {
		d.pos++
		ok = d.digits() > 0 && ok
	}
	if at('e') || at('E') {
		d.pos++
		if at('+') || at('-') {
			d.pos++
		}
		ok = d.digits() > 0 && ok
	}
	if !ok {
		d.bad = true
		return ""
	}
	return string(d.b[start:d.pos])
}

// text reads a string (RFC 8259 section 7).
func (d *jsonDecoder) text() string {
	d.expect('"')
	var out []byte
	for !d.bad && d.pos < len(d.b) {
		c := d.b[d.pos]
		d.pos++
		switch {
		case c == '"':
			return string(out)
		case c < ' ':
			d.pos--
			d.bad = true
		case c == '\\':
			out = d.escape(out)
		default:
			out = append(out, c)
		}
	}
	d.bad = true
	return ""
}

// escape appends what stands behind a backslash.
func (d *jsonDecoder) escape(out []byte) []byte {
	if d.pos >= len(d.b) {
		d.bad = true
		return out
	}
	c := d.b[d.pos]
	d.pos++
	switch c {
	case '"', '\\', '/':
		return append(out, c)
	case 'b':
		return append(out, '\b')
	case 'f':
		return append(out, '\f')
	case 'n':
		return append(out, '\n')
	case 'r':
		return append(out, '\r')
	case 't':
		return append(out, '\t')
	case 'u':
		r := d.hex4()
		if utf16.IsSurrogate(r) {
			// Two halves make one character; half a pair becomes the replacement character.
			mark := d.pos
			pair := rune(utf8.RuneError)
			if d.pos+1 < len(d.b) && d.b[d.pos] == '\\' && d.b[d.pos+1] == 'u' {
				d.pos += 2
				pair = utf16.DecodeRune(r, d.hex4())
			}
			if r = pair; pair == utf8.RuneError && !d.bad {
				d.pos = mark
			}
		}
		return utf8.AppendRune(out, r)
	}
	d.bad = true
	return out
}

func (d *jsonDecoder) hex4() rune {
	if len(d.b)-d.pos < 4 {
		d.bad = true
		return 0
	}
	n := rune(0)
	for _, c := range d.b[d.pos : d.pos+4] {
		switch {
		case isDigit(c):
			n = n<<4 | rune(c-'0')
		case 'a' <= c|0x20 && c|0x20 <= 'f':
			n = n<<4 | rune(c|0x20-'a'+10)
		default:
			d.bad = true
			return 0
		}
	}
	d.pos += 4
	return n
}
