package main

import (
	"reflect"
	"testing"
)

func TestOptionsStandBeforeAndBehindTheOperands(t *testing.T) {
	for _, args := range [][]string{
		{"vpn", "--config", "dir", "-o", "a=b", "-o", "c=d"},
		{"--config=dir", "-o", "a=b", "vpn", "-o=c=d"},
	} {
		a, err := parseArgs(args, "--config")
		if err != nil {
			t.Fatal(err)
		}
		want := arguments{operands: []string{"vpn"}, values: map[string]string{"--config": "dir"}, settings: []string{"a=b", "c=d"}}
		if !reflect.DeepEqual(a, want) {
			t.Errorf("%v gave %+v, want %+v", args, a, want)
		}
	}
}

func TestUnknownOptionsAndMissingValuesAreRefused(t *testing.T) {
	for _, args := range [][]string{{"--password", "x"}, {"--config"}, {"-o"}, {"-x"}} {
		if _, err := parseArgs(args, "--config"); err == nil {
			t.Errorf("%v was accepted", args)
		}
	}
}
