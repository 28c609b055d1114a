package main

import "strings"

// pack is a package in any format.
type pack struct {
	name, version string // version with its release: 1.2.3-r1
	arch          string
	title         string
	description   string
	section       string
	license       string
	maintainer    string
	user          string // to be made on the router, as USERID has it
	depends       []string
	// recommends are the kernel modules for kernel TLS. One package serves opkg from 21.02 to 24.10, and no release before 23.05
	// has these modules, so opkg must be able to do without them. For apk they are dependencies.
	recommends []string
	provides   []string
	conflicts  []string
	scripts    map[string]string // preinst, postinst, prerm
	files      payload
}

// lines returns the description's lines without their indentation.
func (p *pack) lines() []string {
	var lines []string
	for line := range strings.Lines(p.description) {
		lines = append(lines, strings.TrimSpace(line))
	}
	return lines
}

// opkgVersion returns a version that opkg sorts as apk does: a candidate before its release.
func opkgVersion(version string) string {
	return strings.NewReplacer("_alpha", "~alpha", "_beta", "~beta", "_rc", "~rc").Replace(version)
}

// The scripts that OpenWrt's build system puts around the package's own: functions.sh enables and starts services, makes users and
// runs uci-defaults.
const (
	opkgPostinst = `#!/bin/sh
[ "${IPKG_NO_SCRIPT}" = "1" ] && exit 0
[ -s ${IPKG_INSTROOT}/lib/functions.sh ] || exit 0
. ${IPKG_INSTROOT}/lib/functions.sh
default_postinst $0 $@
`
	opkgPrerm = `#!/bin/sh
[ -s ${IPKG_INSTROOT}/lib/functions.sh ] || exit 0
. ${IPKG_INSTROOT}/lib/functions.sh
default_prerm $0 $@
`
	apkPostInstall = `#!/bin/sh
[ "${IPKG_NO_SCRIPT}" = "1" ] && exit 0
[ -s ${IPKG_INSTROOT}/lib/functions.sh ] || exit 0
. ${IPKG_INSTROOT}/lib/functions.sh
export root="${IPKG_INSTROOT}"
export pkgname="NAME"
add_group_and_user
default_postinst
`
	apkPreDeinstall = `#!/bin/sh
[ -s ${IPKG_INSTROOT}/lib/functions.sh ] || exit 0
. ${IPKG_INSTROOT}/lib/functions.sh
export root="${IPKG_INSTROOT}"
export pkgname="NAME"
default_prerm
`
	apkUpgrade = `#!/bin/sh
export PKG_UPGRADE=1
`
)

// body returns a script without the line that names its interpreter.
func body(script string) string {
	if first, rest, ok := strings.Cut(script, "\n"); ok && strings.HasPrefix(first, "#!") {
		return rest
	}
	return script
}
