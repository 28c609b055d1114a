package main

import (
	"fmt"
	"strings"
)

// arguments are a command line taken apart: options may stand before and behind the operands.
type arguments struct {
	operands []string
	values   map[string]string // of options that take one
	settings []string          // of -o, in order
}

// parseArgs takes args apart. allowed lists the options that exist, each with a value.
func parseArgs(args []string, allowed ...string) (arguments, error) {
	a := arguments{values: map[string]string{}}
	for i := 0; i < len(args); i++ {
		arg := args[i]
		if !strings.HasPrefix(arg, "-") || arg == "-" {
			a.operands = append(a.operands, arg)
			continue
		}
		name, value, inline := strings.Cut(arg, "=")
		if name != "-o" && !contains(allowed, name) {
			return a, fmt.Errorf("there is no option %s", name)
		}
		if name == "-o" {
			value, inline = strings.TrimPrefix(arg, "-o="), arg != "-o"
		}
		if !inline {
			if i++; i == len(args) {
				return a, fmt.Errorf("option %s needs a value", name)
			}
			value = args[i]
		}
		if name == "-o" {
			a.settings = append(a.settings, value)
			continue
		}
		a.values[name] = value
	}
	return a, nil
}

func contains(list []string, s string) bool {
	for _, l := range list {
		if l == s {
			return true
		}
	}
	return false
}
