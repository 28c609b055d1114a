// Command emulated runs the client on emulated machines: MIPS and ARM routers and a PC under qemu-system, with Debian's
// kernels. Kernels and programs are downloaded from Debian and unpacked into build/emulated; only qemu and the programs that the
// bench compares with are installed.
//
//	emulated mips          a MIPS 24Kc: every cipher on both paths, measured by a clock that counts instructions
//	emulated arm arm64     the same on a Cortex-A7 and a Cortex-A53
//	emulated pc            this machine's root file system under a kernel with TLS: the tests of the tunnel on both paths
//	emulated core          the same on one processor with a clock that counts instructions: the bench beside other tunnels
package main

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

const build = "build/emulated"

func main() {
	gcflags := flag.String("gcflags", "", "arguments of go build for the compiler")
	only := flag.String("parts", "", "which parts of the bench to run, such as 1,4; empty: all")
	flag.Parse()
	if flag.NArg() == 0 {
		fmt.Fprintln(os.Stderr, "usage: emulated [-gcflags ARGUMENTS] [-parts NUMBERS] mips|arm|arm64|pc|core...")
		os.Exit(2)
	}
	if err := sstpTool("sstp-overlay", build+"/overlay"); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
	for _, name := range flag.Args() {
		m, ok := machines[name]
		if !ok {
			fmt.Fprintf(os.Stderr, "error: there is no machine %q\n", name)
			os.Exit(2)
		}
		m.gcflags = append(strings.Fields(*gcflags), "-overlay", build+"/overlay/overlay.json")
		if *only != "" {
			m.parts = strings.Split(*only, ",")
		}
		begun := time.Now()
		if err := m.run(name); err != nil {
			fmt.Fprintf(os.Stderr, "error: %s: %v\n", name, err)
			os.Exit(1)
		}
		fmt.Printf("%s: passed in %v\n", name, time.Since(begun).Round(time.Second))
	}
}

// machine is a machine that qemu emulates.
type machine struct {
	folder   string   // in build; default: the machine's name
	install  []string // packages of Debian for this machine
	debian   string   // Debian's name of the architecture
	kernel   string   // Debian's package that depends on the kernel's newest image
	packages []string // of Debian, for the guest
	goenv    []string // for building our programs
	gcflags  []string
	qemu     []string
	console  string
	devices  []string      // modules besides tun and veth
	ciphers  []string      // modules, the best last; missing ones are left out
	limit    time.Duration // for each part
	parts    []string      // of the bench; the guest starts once for each string
	stalls   bool          // the emulator may stand still
	goFast   bool          // Go has assembly for the ciphers, so its path is not the slow one
	host     bool          // the guest's root is this machine's, read-only
}

// pc returns a machine whose root is this machine's.
func pc(part string, processors ...string) machine {
	return machine{
		install: []string{"qemu-system-x86"},
		folder:  "pc", debian: "amd64", kernel: "linux-image-amd64", goenv: []string{"GOARCH=amd64"}, console: "ttyS0", limit: 15 * time.Minute, parts: []string{part}, host: true,
		qemu: append([]string{"qemu-system-x86_64", "-M", "q35", "-cpu", "max", "-m", "2048",
			"-fsdev", "local,id=root,path=/,security_model=none,readonly=on,multidevs=remap", "-device", "virtio-9p-pci,fsdev=root,mount_tag=root"}, processors...),
		devices: []string{"virtio_pci", "9pnet_virtio", "9p", "overlay", "dummy", "wireguard", "ppp_async"},
		ciphers: []string{"chacha-x86_64", "poly1305-x86_64", "chacha20poly1305", "aesni-intel", "gcm", "ghash-generic", "ctr", "seqiv"},
	}
}

// counted makes the guest's clock count instructions, a nanosecond each, so that figures do not depend on what else this machine
// does. The guest's calendar clock must follow it, because some kernels compare the two.
var counted = []string{"-accel", "tcg,thread=single", "-icount", "shift=0,sleep=off", "-rtc", "clock=vm"}

// halved counts two nanoseconds for an instruction. The bench's targets were set on an x86 core that is as fast: 500 million a
// second.
var halved = []string{"-smp", "1", "-accel", "tcg,thread=single", "-icount", "shift=1,sleep=off", "-rtc", "clock=vm"}

// The parts of the bench, one at a time on MIPS: QEMU 7.2 hangs when the counter of its processors overflows, after 25 seconds.
var (
	inParts = []string{"1", "2", "3", "4"}
	atOnce  = []string{"1234"}
)

// programs are Debian's packages of the programs that the guest runs to compare with.
var programs = []string{"openssl", "libssl3", "libc6", "libgcc-s1", "busybox-static"}

var machines = map[string]machine{
	"mips": {
		install: []string{"qemu-system-mips"}, debian: "mipsel", kernel: "linux-image-4kc-malta", packages: append([]string{"libatomic1"}, programs...),
		goenv: []string{"GOARCH=mipsle", "GOMIPS=softfloat"}, console: "ttyS0", limit: 15 * time.Minute, parts: inParts, stalls: true,
		qemu:    append([]string{"qemu-system-mipsel", "-M", "malta", "-cpu", "24Kc", "-m", "512"}, counted...),
		ciphers: []string{"chacha-mips", "poly1305-mips", "chacha20poly1305", "gcm", "ghash-generic", "ctr", "seqiv"},
	},
	"arm": {
		install: []string{"qemu-system-arm"}, debian: "armhf", kernel: "linux-image-armmp", packages: programs,
		goenv: []string{"GOARCH=arm", "GOARM=7"}, console: "ttyAMA0", limit: 15 * time.Minute, parts: atOnce,
		qemu: append([]string{"qemu-system-arm", "-M", "virt", "-cpu", "cortex-a7", "-m", "512"}, counted...),
		ciphers: []string{"chacha-neon", "poly1305-arm", "chacha20poly1305", "aes-arm", "aes-arm-bs", "gcm", "ghash-generic",
			"ghash-arm-ce", "ctr", "seqiv"},
	},
	"arm64": {
		install: []string{"qemu-system-arm"}, debian: "arm64", kernel: "linux-image-arm64", packages: programs,
		goenv: []string{"GOARCH=arm64"}, goFast: true, console: "ttyAMA0", limit: 15 * time.Minute, parts: atOnce,
		qemu: append([]string{"qemu-system-aarch64", "-M", "virt", "-cpu", "cortex-a53", "-m", "512"}, counted...),
		ciphers: []string{"chacha-neon", "poly1305-neon", "chacha20poly1305", "aes-arm64", "aes-ce-blk", "aes-neon-bs", "gcm",
			"ghash-ce", "ctr", "seqiv"},
	},
	"pc":   pc("tests", "-smp", "2", "-accel", "tcg"),
	"core": benched(pc("bench", halved...)),
}

// benched returns a machine on which sstp is compared with other programs, which it finds in this machine's root.
func benched(m machine) machine {
	m.install = append(m.install, "iproute2", "iputils-ping", "wireguard-go", "wireguard-tools", "openvpn", "sstp-client")
	return m
}

// run makes the guest's file system and starts it.
func (m machine) run(name string) error {
	setup := exec.Command("sh", append([]string{"src/integration/setup.sh"}, m.install...)...)
	setup.Stdout, setup.Stderr = os.Stdout, os.Stderr
	if err := setup.Run(); err != nil {
		return err
	}
	if _, err := exec.LookPath(m.qemu[0]); err != nil {
		return fmt.Errorf("%s is not installed", m.qemu[0])
	}
	dir, err := filepath.Abs(filepath.Join(build, cmp.Or(m.folder, name)))
	if err != nil {
		return err
	}
	root := filepath.Join(dir, "root")
	if err := m.unpack(dir, root); err != nil {
		return err
	}
	image, err := filepath.Glob(filepath.Join(root, "boot", "vmlinuz-*"))
	if err != nil || len(image) != 1 {
		return fmt.Errorf("there are %d kernels in %s/boot, not one", len(image), root)
	}
	a := &archive{}
	if err := m.fill(a, dir, root); err != nil {
		return err
	}
	initrd := filepath.Join(dir, "initrd")
	if err := os.WriteFile(initrd, a.bytes(), 0o644); err != nil {
		return err
	}
	f := &figures{goFast: m.goFast}
	for _, part := range m.parts {
		if err := m.bootAgain(image[0], initrd, part, f); err != nil {
			return err
		}
	}
	f.print(os.Stdout)
	return nil
}

// fill puts our programs, the kernel's modules and, where the guest has a root of its own, Debian's programs into the
// guest's file system.
func (m machine) fill(a *archive, dir, root string) error {
	for target, source := range map[string]string{
		"init": "./src/integration/emulated/guest", "bin/sstp": "./src/cmd/sstp", "bin/sstp-lab": "./src/cmd/sstp-lab",
	} {
		out := filepath.Join(dir, filepath.Base(target))
		if err := m.build(out, source); err != nil {
			return err
		}
		if target == "bin/sstp" {
			if err := clearLines(out, out+"-cleared"); err != nil {
				return err
			}
			out += "-cleared"
		}
		if err := a.addFile(target, out); err != nil {
			return err
		}
	}
	loaded := map[string]bool{}
	for group, names := range [][]string{append([]string{"tun", "veth"}, m.devices...), {"tls"}, m.ciphers} {
		list, err := moduleOrder(root, names, loaded)
		if err != nil {
			return err
		}
		for i, path := range list {
			if err := a.addFile(fmt.Sprintf("modules/%d-%02d-%s", group+1, i, filepath.Base(path)), path); err != nil {
				return err
			}
		}
	}
	if m.host {
		here, err := os.Getwd()
		if err != nil {
			return err
		}
		a.add("host", 0o100644, []byte(here))
		if m.parts[0] == "bench" {
			return m.build(filepath.Join(dir, "bench"), "./src/integration/bench")
		}
		return m.buildTests(filepath.Join(dir, "tests"))
	}
	tests := filepath.Join(dir, "transport.test")
	if err := m.build(tests, "./src/transport", append([]string{"test", "-c", "-ldflags", "-s -w"}, m.gcflags...)...); err != nil {
		return err
	}
	if err := a.addFile("bin/transport.test", tests); err != nil {
		return err
	}
	return a.addPrograms(root)
}

// build builds one of our programs for the guest.
func (m machine) build(out, source string, args ...string) error {
	if len(args) == 0 {
		args = append([]string{"build", "-trimpath", "-ldflags", "-s -w"}, m.gcflags...)
	}
	cmd := exec.Command("go", append(args, "-o", out, source)...)
	cmd.Env = append(append(os.Environ(), "CGO_ENABLED=0"), m.goenv...)
	cmd.Stderr = os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("building %s: %w", source, err)
	}
	return nil
}

// clearLines takes the line tables out of a program, as for a router.
func clearLines(from, to string) error { return sstpTool("sstp-symbols", "clear", from, to) }

// sstpTool runs one of our programs for those who build.
func sstpTool(name string, args ...string) error {
	cmd := exec.Command("go", append([]string{"run", "./src/cmd/" + name}, args...)...)
	cmd.Stderr = os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

// buildTests builds the tests that run in the guest.
func (m machine) buildTests(dir string) error {
	return errors.Join(
		os.MkdirAll(dir, 0o755),
		m.build(filepath.Join(dir, "transport"), "./src/transport", "test", "-c"),
		m.build(filepath.Join(dir, "tun"), "./src/tun", "test", "-c"),
		m.build(filepath.Join(dir, "namespaces"), "./src/integration/namespaces", "test", "-c", "-tags", "namespaces"),
	)
}
