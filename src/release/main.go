// Command release makes the packages for routers: .ipk files for opkg (OpenWrt 21.02 to 24.10) and .apk files of version 3 for apk
// (25.12 and later). The folder of each architecture is a repository. It also makes releases with their notes. It needs Go and
// git, no SDK. The names, dependencies and scripts of the packages come from the feed in openwrt/.
package main

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
)

func main() {
	var o options
	flag.StringVar(&o.out, "out", "", "folder to write to; build/packages or, for a release, build/release by default")
	flag.StringVar(&o.gcflags, "gcflags", "", "arguments of go build for the compiler")
	flag.StringVar(&o.arch, "arch", "", "architectures, separated by commas; all of them by default")
	flag.StringVar(&o.usign, "usign-key", "", "secret key of usign to sign the indexes for opkg with")
	flag.StringVar(&o.apk, "apk-key", "", "EC private key (PEM) to sign packages and indexes for apk with")
	flag.BoolVar(&o.release, "release", false, "add the sources, the notes and the checksums of a release")
	flag.Parse()
	if err := run(o); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

type options struct {
	out, gcflags, arch, usign, apk string
	release                        bool
}

func run(o options) error {
	switch {
	case o.out == "" && o.release:
		o.out = "build/release"
	case o.out == "":
		o.out = "build/packages"
	}
	b, err := newBuilder(".", o.out)
	if err != nil {
		return err
	}
	b.gcflags = strings.Fields(o.gcflags)
	b.say = func(format string, args ...any) { fmt.Printf(format+"\n", args...) }
	if o.usign != "" {
		if b.usign, err = readUsignKey(o.usign); err != nil {
			return err
		}
	}
	if o.apk != "" {
		if b.apk, err = readAPKKey(o.apk); err != nil {
			return err
		}
	}
	wanted, err := choose(o.arch)
	if err != nil {
		return err
	}
	if o.release {
		if err := b.releasable(); err != nil {
			return err
		}
		if err := b.clean(); err != nil {
			return err
		}
	}
	b.say("version %s", b.version)
	if changed, err := output(b.top, "git", "status", "--porcelain", "--untracked-files=no"); err == nil && changed != "" {
		b.say("the sources have changes that are not committed, and the version does not show them")
	}
	if err := b.run(wanted); err != nil {
		return err
	}
	if err := b.askAPK(wanted); err != nil {
		return err
	}
	if o.release {
		if err := b.releaseFiles(wanted); err != nil {
			return err
		}
	}
	if err := b.checksums(); err != nil {
		return err
	}
	b.say("written to %s: in each architecture's folder a feed for opkg and apk, %s", b.out, b.signatures())
	return nil
}

// signatures says who can check where the packages come from.
func (b *builder) signatures() string {
	var missing []string
	if b.usign == nil {
		missing = append(missing, "-usign-key (opkg)")
	}
	if b.apk == nil {
		missing = append(missing, "-apk-key (apk)")
	}
	if len(missing) == 0 {
		return "signed for both"
	}
	return "not signed for want of " + strings.Join(missing, " and ")
}

// choose returns the targets of a list of architectures.
func choose(list string) ([]target, error) {
	if list == "" {
		return targets, nil
	}
	var wanted []target
	for name := range strings.SplitSeq(list, ",") {
		i := slices.IndexFunc(targets, func(t target) bool { return t.arch == name })
		if i < 0 {
			var known []string
			for _, t := range targets {
				known = append(known, t.arch)
			}
			return nil, fmt.Errorf("architecture %q is none of %s", name, strings.Join(known, ", "))
		}
		wanted = append(wanted, targets[i])
	}
	return wanted, nil
}
