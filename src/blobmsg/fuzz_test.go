package blobmsg

import (
	"bytes"
	"encoding/json"
	"math"
	"reflect"
	"testing"
)

// FuzzFields: what can be read is written so that it reads the same, and makes JSON.
func FuzzFields(f *testing.F) {
	f.Add(AppendFields(nil, everyType))
	f.Add(AppendFields(nil, Fields{F("deep", Array(Array(Tab(F("", Tab())))))}))
	f.Add([]byte("\x83\x00\x00\x0b\x00\x01s\x00hi\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		fields, err := ParseFields(b)
		if err != nil {
			if fields != nil {
				t.Fatalf("an error and %d fields", len(fields))
			}
			return
		}
		written := AppendFields(nil, fields)
		if len(written) > len(b) {
			t.Fatalf("%d bytes become %d", len(b), len(written))
		}
		again, err := ParseFields(written)
		if err != nil || !reflect.DeepEqual(fields, again) {
			t.Fatalf("written and read again: %v\n%+v\n%+v", err, fields, again)
		}
		if text := AppendJSON(nil, Tab(fields...)); !json.Valid(text) {
			t.Fatalf("no JSON: %q", text)
		}
	})
}

// FuzzJSON: we read what encoding/json takes for JSON, as far as blobmsg can hold it, and write what we read.
func FuzzJSON(f *testing.F) {
	for _, text := range []string{
		`{"a":[1,-2,3.5e-1,true,false,null,"x\u00fc\ud83d\ude00\n"],"b":{}}`, `99999999999999999999`, `1000000000000000.125`, `1e300`, `0.0000000000000000000001`, `1e-400`, `"\ud800"`, `[[[]]]`, ` 1 `, `01`, `{"a":1,}`,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		v, err := ParseJSON(text)
		valid := json.Valid(text)
		if err != nil {
			beyond := bytes.Contains(text, []byte(`\u0000`)) || bytes.Count(text, []byte("["))+bytes.Count(text, []byte("{")) > maxDepth || len(text) > maxValues
			if valid && !beyond {
				t.Fatalf("%q: %v", text, err)
			}
			return
		}
		if !valid {
			t.Fatalf("%q was read as %+v", text, v)
		}
		written := AppendJSON(nil, v)
		again, err := ParseJSON(written)
		if err != nil || !bytes.Equal(AppendJSON(nil, again), written) && !holdsHuge(v) {
			t.Fatalf("%q: %v, %q", written, err, AppendJSON(nil, again))
		}
		fields := Fields{F("v", v)}
		if back, err := ParseFields(AppendFields(nil, fields)); err != nil || !bytes.Equal(AppendJSON(nil, back[0].Value), written) {
			t.Fatalf("%q does not survive the bus: %v", written, err)
		}
	})
}

// holdsHuge says whether a value has a double from 2^53, whose digits are not all kept.
func holdsHuge(v Value) bool {
	if f, ok := v.Float(); ok && v.Type() == TypeDouble {
		return math.Abs(f) >= 1<<53
	}
	for _, item := range v.Items() {
		if holdsHuge(item) {
			return true
		}
	}
	for _, field := range v.Fields() {
		if holdsHuge(field.Value) {
			return true
		}
	}
	return false
}
