package killswitch

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
)

// UnmarshalJSON reads a section as rpcd writes it. The options keep their order.
func (s *Section) UnmarshalJSON(text []byte) error {
	decoder := json.NewDecoder(bytes.NewReader(text))
	if _, err := decoder.Token(); err != nil {
		return err
	}
	for decoder.More() {
		key, err := decoder.Token()
		if err != nil {
			return err
		}
		var value any
		if err := decoder.Decode(&value); err != nil {
			return err
		}
		switch name := key.(string); v := value.(type) {
		case string:
			switch name {
			case ".type":
				s.Type = v
			case ".name":
				s.Name = v
			default:
				s.Options = append(s.Options, option(name, v))
			}
		case []any:
			o := list(name)
			for _, item := range v {
				o.Values = append(o.Values, item.(string))
			}
			s.Options = append(s.Options, o)
		default:
			return fmt.Errorf("%s is neither a text nor a list", name)
		}
	}
	return nil
}

// MarshalJSON writes a section as rpcd does.
func (s Section) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	fmt.Fprintf(&b, "{%s:%s, %s:%s", quote(".type"), quote(s.Type), quote(".name"), quote(s.Name))
	for _, o := range s.Options {
		fmt.Fprintf(&b, ", %s:", quote(o.Name))
		if !o.List {
			b.WriteString(quote(o.Values[0]))
			continue
		}
		b.WriteByte('[')
		for i, v := range o.Values {
			if i > 0 {
				b.WriteString(", ")
			}
			b.WriteString(quote(v))
		}
		b.WriteByte(']')
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

func quote(s string) string { return plain(s) }

// plain writes a value as JSON without HTML's escapes.
func plain(v any) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic(err)
	}
	return strings.TrimSpace(b.String())
}

// printState writes a state with a section on each line.
func printState(s State) string {
	var b strings.Builder
	b.WriteString("{")
	for i, config := range []struct {
		name     string
		sections []Section
	}{{"firewall", s.Firewall}, {"network", s.Network}} {
		if i > 0 {
			b.WriteString(",")
		}
		fmt.Fprintf(&b, "\n    %s: [", quote(config.name))
		for j, section := range config.sections {
			if j > 0 {
				b.WriteString(",")
			}
			text, _ := section.MarshalJSON()
			fmt.Fprintf(&b, "\n      %s", text)
		}
		b.WriteString("]")
	}
	b.WriteString("}")
	return b.String()
}

// printVectors writes vectors for people to read.
func printVectors(vectors []*vector) []byte {
	var b bytes.Buffer
	for i, v := range vectors {
		if b.WriteString(",\n"); i == 0 {
			b.Reset()
			b.WriteString("[")
		}
		fmt.Fprintf(&b, "{\n  \"name\": %s,\n  \"before\": %s", plain(v.Name), printState(v.Before))
		if v.On != nil {
			fmt.Fprintf(&b, ",\n  \"on\": %s", plain(v.On))
		}
		if v.Off != "" {
			fmt.Fprintf(&b, ",\n  \"off\": %s", plain(v.Off))
		}
		if v.Inspect != "" {
			fmt.Fprintf(&b, ",\n  \"inspect\": %s", plain(v.Inspect))
		}
		if v.After != nil {
			fmt.Fprintf(&b, ",\n  \"after\": %s", printState(*v.After))
		}
		if v.Error != nil {
			fmt.Fprintf(&b, ",\n  \"error\": %s", plain(v.Error))
		}
		if v.Status != nil {
			fmt.Fprintf(&b, ",\n  \"status\": %s", plain(v.Status))
		}
		b.WriteString("\n}")
	}
	b.WriteString("]\n")
	return b.Bytes()
}

// MarshalJSON writes a request with the names that the command line and the bus use.
func (r Request) MarshalJSON() ([]byte, error) {
	return []byte(plain(map[string]any{"tunnel": r.Tunnel, "zones": some(r.Zones), "except": some(r.Except), "router": r.Router, "names": r.Names})), nil
}

// MarshalJSON writes a problem as the bus has it.
func (p Problem) MarshalJSON() ([]byte, error) {
	return []byte(plain(map[string]any{"key": p.Key, "args": some(p.Args), "text": p.Text})), nil
}

// some returns an empty list for none.
func some(list []string) []string { return append([]string{}, list...) }
