package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
)

// catalogues is the folder in which LuCI looks for translations.
const catalogues = "usr/lib/lua/luci/i18n"

// languageAliases are LuCI's names of languages for which translators use another name (luci.mk).
var languageAliases = map[string]string{"bn_BD": "bn", "nb_NO": "no", "pt_BR": "pt-br", "zh_Hans": "zh-cn", "zh_Hant": "zh-tw"}

// programs makes the packages of an architecture, with the programs that were built for it in folder bin.
func (b *builder) programs(t target, bin string) ([]*pack, error) {
	f, err := readFeed(filepath.Join(b.top, "openwrt"), "sstp/Makefile")
	if err != nil {
		return nil, err
	}
	var packs []*pack
	for _, of := range []struct{ name, tree string }{{"sstp", "files"}, {"sstp-dbus", "openwrt/sstp/dbus"}} {
		p, err := f.read(of.name, t)
		if err != nil {
			return nil, err
		}
		program, err := os.ReadFile(filepath.Join(bin, of.name))
		if err != nil {
			return nil, err
		}
		p.version = b.version
		p.files.addFile("usr/sbin/"+of.name, 0o755, program)
		if err := p.files.addTree(filepath.Join(b.top, of.tree), ""); err != nil {
			return nil, err
		}
		if of.name == "sstp" {
			p.files.addFolder("etc/sstp", 0o700) // certificates and keys
		}
		packs = append(packs, p)
	}
	return packs, nil
}

// web makes the package of the web interface.
func (b *builder) web() (*pack, error) {
	f, err := readFeed(filepath.Join(b.top, "openwrt"), "luci-app-sstp/Makefile")
	if err != nil {
		return nil, err
	}
	p, err := f.read("luci-app-sstp", target{})
	if err != nil {
		return nil, err
	}
	p.version = b.version
	luci := filepath.Join(b.top, "luci")
	if err := p.files.addTree(filepath.Join(luci, "htdocs"), "www"); err != nil {
		return nil, err
	}
	if err := p.files.addTree(filepath.Join(luci, "root"), ""); err != nil {
		return nil, err
	}
	translations, err := filepath.Glob(filepath.Join(luci, "po", "*", "sstp.po"))
	if err != nil {
		return nil, err
	}
	for _, file := range slices.Sorted(slices.Values(translations)) {
		language := filepath.Base(filepath.Dir(file))
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		catalogue, err := compileLMO(string(text))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		if alias, ok := languageAliases[language]; ok {
			language = alias
		}
		if catalogue != nil {
			p.files.addFile(catalogues+"/sstp."+language+".lmo", 0o644, catalogue)
		}
	}
	return p, nil
}
