package killswitch

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write what comes out into testdata, to be read before it is committed")

// vector is one case of testdata, which the page of the web interface has to pass too. Sections are written as rpcd gives them:
// .type, .name, and the options as texts or lists of texts.
type vector struct {
	Name    string
	Before  State
	On      *Request `json:",omitempty"`
	Off     string   `json:",omitempty"` // the tunnel
	Inspect string   `json:",omitempty"` // the tunnel
	After   *State   `json:",omitempty"`
	Error   *Problem `json:",omitempty"`
	Status  *status  `json:",omitempty"`
}

// status is Status as the bus has it.
type status struct {
	On       bool       `json:"on"`
	Complete bool       `json:"complete"`
	Zones    []string   `json:"zones"`
	Except   []string   `json:"except"`
	Router   bool       `json:"router"`
	Names    bool       `json:"names"`
	Problems []*Problem `json:"problems"`
}

func TestVectors(t *testing.T) {
	files, _ := filepath.Glob("testdata/*.json")
	if len(files) == 0 {
		t.Fatal("there are no vectors")
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var vectors []*vector
		decoder := json.NewDecoder(bytes.NewReader(text))
		decoder.DisallowUnknownFields()
		if err := decoder.Decode(&vectors); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		for _, v := range vectors {
			t.Run(v.Name, func(t *testing.T) { v.check(t) })
		}
		if *update {
			if err := os.WriteFile(file, printVectors(vectors), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// check plays one vector.
func (v *vector) check(t *testing.T) {
	untouched := clone(v.Before)
	got := *v
	got.After, got.Error, got.Status = nil, nil, nil
	switch {
	case v.On != nil:
		after, err := On(v.Before, *v.On)
		if errors.As(err, &got.Error) {
			if !reflect.DeepEqual(after, untouched) {
				t.Error("the switch was refused, and yet something changed")
			}
			break
		}
		got.After = &after
		if again, err := On(after, *v.On); err != nil || !sameContents(again, after) {
			t.Errorf("turned on twice it is not the same as once: %v\n%s", err, printState(again))
		}
		st := Inspect(after, v.On.Tunnel)
		for _, p := range st.Problems {
			if !strings.HasPrefix(p.Key, "zone_") && p.Key != "forward_accept" {
				t.Errorf("just turned on: %s", p.Text)
			}
		}
		if !st.On {
			t.Errorf("turned on, and the status says %+v", st)
		}
	case v.Off != "":
		after := Off(v.Before, v.Off)
		got.After = &after
		if again := Off(after, v.Off); !reflect.DeepEqual(again, after) {
			t.Errorf("turned off twice it is not the same as once:\n%s", printState(again))
		}
	default:
		st := Inspect(v.Before, v.Inspect)
		got.Status = &status{st.On, st.Complete(), some(st.Zones), some(st.Except), st.Router, st.Names, append([]*Problem{}, st.Problems...)}
	}
	if !reflect.DeepEqual(v.Before, untouched) {
		t.Error("the state that was given was written to")
	}
	if *update {
		*v = got
		return
	}
	if want, is := printVectors([]*vector{v}), printVectors([]*vector{&got}); !bytes.Equal(want, is) {
		t.Errorf("want %s\ngot %s", want, is)
	}
}

// clone copies a state in depth.
func clone(s State) State {
	s = s.clone()
	for _, sections := range [][]Section{s.Firewall, s.Network} {
		for i := range sections {
			sections[i].Options = slices.Clone(sections[i].Options)
			for j := range sections[i].Options {
				sections[i].Options[j].Values = slices.Clone(sections[i].Options[j].Values)
			}
		}
	}
	return s
}
