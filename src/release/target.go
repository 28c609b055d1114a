package main

import "strings"

// target is an architecture that OpenWrt builds packages for.
type target struct {
	arch string // as OpenWrt names it: opkg print-architecture, /etc/apk/arch
	env  string // what Go builds for it
	// of names routers, for people who choose a file.
	of string
}

// targets are the architectures of `make packages`. A static program runs on every release of OpenWrt, so there is one package
// for each architecture, and one binary for those that share an environment.
var targets = []target{
	{"mips_24kc", "GOARCH=mips GOMIPS=softfloat", "ath79 (Qualcomm Atheros)"},
	{"mipsel_24kc", "GOARCH=mipsle GOMIPS=softfloat", "ramips (MediaTek MT7620, MT7621, MT7628)"},
	{"mipsel_74kc", "GOARCH=mipsle GOMIPS=softfloat", "ramips (RT3883), bcm47xx"},
	{"arm_cortex-a7_neon-vfpv4", "GOARCH=arm GOARM=7", "ipq40xx, mt7623, sunxi"},
	{"arm_cortex-a9_vfpv3-d16", "GOARCH=arm GOARM=7", "mvebu, bcm53xx"},
	{"arm_arm926ej-s", "GOARCH=arm GOARM=5", "kirkwood, at91, mxs"},
	{"aarch64_cortex-a53", "GOARCH=arm64 GOARM64=v8.0", "filogic, mt7622, mvebu, qualcommax, bcm27xx"},
	{"aarch64_generic", "GOARCH=arm64 GOARM64=v8.0", "armsr, rockchip, layerscape"},
	{"x86_64", "GOARCH=amd64 GOAMD64=v1", "x86/64"},
	{"riscv64_generic", "GOARCH=riscv64 GORISCV64=rva20u64", "sifiveu, starfive, d1"},
}

// all is the architecture of packages without programs.
const all = "all"

// family returns OpenWrt's ARCH, the name of the instruction set, which conditions in DEPENDS use.
func (t target) family() string {
	if strings.HasPrefix(t.arch, "x86_64") {
		return "x86_64"
	}
	family, _, _ := strings.Cut(t.arch, "_")
	return family
}
