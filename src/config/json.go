package config

import (
	"strings"

	"sstp/src/blobmsg"
	"sstp/src/fault"
)

// ParseJSON reads the JSON object in which netifd hands a protocol handler its options. Of a key that stands twice, as
// netifd writes mtu, the last one counts. See FromFields for what becomes of the values.
func ParseJSON(data []byte) (Values, error) {
	v, err := blobmsg.ParseJSON(data)
	if err == nil && v.Type() != blobmsg.TypeTable {
		err = &blobmsg.JSONError{Text: "this is another value"}
	}
	if err != nil {
		return nil, fault.Newf(fault.InvalidOptions, fault.StageConfig,
			"The configuration handed over by netifd is not a JSON object (%s).", err.Error()).
			WithHint("The handler of the protocol and the program do not fit together: install both from one package.")
	}
	return FromFields(v.Fields()), nil
}

// FromFields returns the options of an interface section as netifd or rpcd hands it over. A string, a number or a boolean
// becomes one value, an array of them several; true and false become "1" and "0". Null, nested values, and names that
// begin with a dot, which describe the section itself, are left out.
func FromFields(section blobmsg.Fields) Values {
	values := Values{}
	for _, f := range section {
		if strings.HasPrefix(f.Name, ".") {
			continue
		}
		items := f.Value.Items()
		if f.Value.Type() != blobmsg.TypeArray {
			items = []blobmsg.Value{f.Value}
		}
		for _, item := range items {
			if text, ok := optionText(item); ok {
				values[f.Name] = append(values[f.Name], text)
			}
		}
	}
	return values
}

func optionText(v blobmsg.Value) (text string, ok bool) {
	switch v.Type() {
	case blobmsg.TypeUnspec, blobmsg.TypeArray, blobmsg.TypeTable:
		return "", false
	case blobmsg.TypeString:
		return v.Str()
	case blobmsg.TypeBool:
		n, _ := v.Num()
		v = blobmsg.Int64(n)
	}
	return string(blobmsg.AppendJSON(nil, v)), true
}
