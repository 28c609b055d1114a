package config

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestParseJSON(t *testing.T) {
	tests := []struct {
		why, in string
		want    Values
	}{
		{"what netifd hands over, an option standing twice included",
			`{"proto":"sstp","metric":5,"defaultroute":false,"peerdns":true,"server":["vpn.example.org","b:1"],"password":"p w","port":"443","ca":[],"mtu":1300,"mtu":1400}`,
			Values{"proto": {"sstp"}, "metric": {"5"}, "defaultroute": {"0"}, "peerdns": {"1"},
				"server": {"vpn.example.org", "b:1"}, "password": {"p w"}, "port": {"443"}, "mtu": {"1400"}}},
		{"nothing", ` { } `, Values{}},
		{"blanks anywhere", "\t{ \"a\" :\r\n \"b\" , \"c\" : [ 1 , 2 ] } \n", Values{"a": {"b"}, "c": {"1", "2"}}},
		{"escapes", `{"a":"\"\\\/\b\f\n\r\t\u00fc\u20AC\ud83d\ude00"}`, Values{"a": {"\"\\/\b\f\n\r\tü€😀"}}},
		{"half a surrogate pair", `{"a":"\ud83dx\ud83d\u0041"}`, Values{"a": {"\ufffdx\ufffdA"}}},
		{"bytes that are no UTF-8 stay", "{\"a\":\"\xff\"}", Values{"a": {"\xff"}}},
		{"numbers, of which netifd writes whole ones", `{"a":-7,"b":4294967296,"c":1.5}`, Values{"a": {"-7"}, "b": {"4294967296"}, "c": {"1.500000"}}},
		{"what describes the section", `{".type":"interface",".anonymous":false,"a":"b"}`, Values{"a": {"b"}}},
		{"null is an absent option, a later one too", `{"a":null,"b":"x","b":null}`, Values{}},
		{"what is nested is skipped", `{"a":{"b":[{"c":"}"}]},"d":["x",["y"],{"e":1},null,"z"]}`, Values{"d": {"x", "z"}}},
	}
	for _, c := range tests {
		got, err := ParseJSON([]byte(c.in))
		if err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %v %v, want %v", c.why, got, err, c.want)
		}
	}
}

func TestParseJSONRefuses(t *testing.T) {
	for _, in := range []string{
		"", "null", `"x"`, "[]", "{", "}", "{}x", "{}{}", `{"a"}`, `{"a":}`, `{"a":1,}`, `{,}`, `{a:1}`, `{"a":1 "b":2}`,
		`{"a":"x}`, `{"a":"\x"}`, `{"a":"\u12"}`, `{"a":"\u12g4"}`, `{"a":"\`, "{\"a\":\"\n\"}", `{"a":tru}`, `{"a":nul}`,
		`{"a":01}`, `{"a":-}`, `{"a":1.}`, `{"a":.5}`, `{"a":1e}`, `{"a":+1}`, `{"a":[1,]}`, `{"a":[1`, `{'a':1}`,
		`{"a":` + strings.Repeat("[", 100) + strings.Repeat("]", 100) + `}`,
	} {
		if got, err := ParseJSON([]byte(in)); err == nil {
			t.Errorf("%s is taken as %v", in, got)
		}
	}
}

// FuzzParseJSON: what encoding/json calls an object is taken with the same texts, and nothing else is taken.
func FuzzParseJSON(f *testing.F) {
	f.Add([]byte(`{"a":"b","c":[1,true,null,"\u00fc"],"d":{"e":[]},"mtu":1400,"mtu":1.5e3}`))
	f.Add([]byte(`{"\ud83d\ude00":"\ud83d","x":-0}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := ParseJSON(b)
		var all map[string]json.RawMessage
		if errStd := json.Unmarshal(b, &all); errStd != nil || all == nil {
			if err == nil {
				t.Fatalf("%q is taken as %v, encoding/json says %v", b, got, errStd)
			}
			return
		}
		if err != nil {
			const maxDepth = 32 // blobmsg's
			if deep := bytes.Count(b, []byte("[")) + bytes.Count(b, []byte("{")); deep <= maxDepth && !bytes.Contains(b, []byte(`\u0000`)) {
				t.Fatalf("%q: %v", b, err)
			}
			return
		}
		if !utf8.Valid(b) { // encoding/json replaces what it does not like
			return
		}
		for key, raw := range all {
			var text string
			if raw[0] == '"' && !strings.HasPrefix(key, ".") && json.Unmarshal(raw, &text) == nil {
				if len(got[key]) != 1 || got[key][0] != text {
					t.Fatalf("%q: %s is %q, want %q", b, key, got[key], text)
				}
			}
		}
		for key := range got {
			if _, ok := all[key]; !ok {
				t.Fatalf("%q: %q is not there", b, key)
			}
		}
	})
}
