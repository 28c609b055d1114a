package main

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

func TestAModuleComesBehindWhatItDependsOn(t *testing.T) {
	files := map[string]string{}
	for _, name := range []string{"tls", "ghash_generic", "gf128mul", "gcm", "chacha_mips", "libchacha"} {
		files[name] = "/" + name
	}
	depends := map[string][]string{
		"/ghash_generic": {"gf128mul"}, "/gcm": {"ghash-generic", "built_in"}, "/chacha_mips": {"libchacha"}, "/libchacha": {"chacha_mips"},
	}
	order, err := inOrder(files, []string{"gcm", "chacha-mips", "of-another-processor", "ghash-generic", "tls"}, map[string]bool{}, func(path string) ([]string, error) {
		return depends[path], nil
	})
	want := "/gf128mul /ghash_generic /gcm /libchacha /chacha_mips /tls"
	if got := strings.Join(order, " "); got != want || err != nil {
		t.Errorf("%s, %v, want %s", got, err, want)
	}
	broken := errors.New("no module")
	if _, err := inOrder(files, []string{"tls"}, map[string]bool{}, func(string) ([]string, error) { return nil, broken }); err != broken {
		t.Errorf("a file that cannot be read: %v", err)
	}
}

func TestWhatAModuleSaysOfItself(t *testing.T) {
	for info, want := range map[string][]string{
		"license=GPL\x00depends=gf128mul,crypto-null\x00name=gcm\x00": {"gf128mul", "crypto-null"},
		"depends=\x00name=tun\x00":                                    nil,
		"name=tun":                                                    nil,
	} {
		if got := dependsIn([]byte(info)); !slices.Equal(got, want) {
			t.Errorf("%q: %q, want %q", info, got, want)
		}
	}
}
