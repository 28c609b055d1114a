package main

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"

	"sstp/src/hostnet"
)

// machine prepares the machine and runs what it is for.
func machine() error {
	os.Setenv("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
	if err := mountKernels(""); err != nil {
		return err
	}
	if err := seedRandom(); err != nil {
		return err
	}
	note("booted")
	if err := loadModules(deviceModules); err != nil {
		return err
	}
	if here, err := os.ReadFile("/host"); err == nil {
		if err := errors.Join(loadModules(tlsModules), loadModules(cipherModules)); err != nil {
			return err
		}
		if err := enterHost(string(here)); err != nil {
			return err
		}
		if os.Getenv("BENCH_PART") == "bench" {
			return compare(string(here))
		}
		return runTests(string(here))
	}
	return bench()
}

// mountKernels mounts the kernel's file systems below a root.
func mountKernels(root string) error {
	for _, m := range []struct{ kind, dir string }{
		{"proc", "/proc"}, {"sysfs", "/sys"}, {"devtmpfs", "/dev"}, {"tmpfs", "/tmp"}, {"tmpfs", "/run"},
	} {
		if err := errors.Join(os.MkdirAll(root+m.dir, 0o755), unix.Mount(m.kind, root+m.dir, m.kind, 0, "")); err != nil {
			return fmt.Errorf("mounting %s: %w", m.dir, err)
		}
	}
	return nil
}

// seedRandom makes the kernel trust its random numbers. An emulated machine has no noise to wait for, and no secrets.
func seedRandom() error {
	f, err := os.OpenFile("/dev/urandom", os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	var pool struct { // rand_pool_info of linux/random.h
		bits, bytes int32
		seed        [256]byte
	}
	pool.bits, pool.bytes = 8*int32(len(pool.seed)), int32(len(pool.seed))
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, f.Fd(), unix.RNDADDENTROPY, uintptr(unsafe.Pointer(&pool))); errno != 0 {
		return fmt.Errorf("seeding the kernel's random numbers: %w", errno)
	}
	return nil
}

// enterHost makes the host's file system the root. Nothing here can change it: what is written goes into memory.
func enterHost(here string) error {
	for _, dir := range []string{"/lower", "/upper"} {
		os.MkdirAll(dir, 0o755)
	}
	err := errors.Join(
		unix.Mount("root", "/lower", "9p", unix.MS_RDONLY, "trans=virtio,version=9p2000.L,msize=262144,cache=loose"),
		unix.Mount("tmpfs", "/upper", "tmpfs", 0, ""),
		os.MkdirAll("/upper/files", 0o755), os.MkdirAll("/upper/work", 0o755), os.MkdirAll("/upper/root", 0o755),
		unix.Mount("overlay", "/upper/root", "overlay", 0, "lowerdir=/lower,upperdir=/upper/files,workdir=/upper/work"),
	)
	if err == nil {
		err = mountKernels("/upper/root")
	}
	if err == nil {
		err = showProject(here)
	}
	if err == nil {
		err = unix.Chroot("/upper/root")
	}
	if err != nil {
		return fmt.Errorf("the host's file system: %w", err)
	}
	return hostnet.SetUp("lo", 0)
}

// showProject mounts the project's folder where it is below one that this kernel's own file systems hide, such as /tmp.
func showProject(here string) error {
	at := "/upper/root" + here
	if _, err := os.Stat(at); err == nil {
		return nil
	}
	return errors.Join(os.MkdirAll(at, 0o755), unix.Mount("/lower"+here, at, "", unix.MS_BIND, ""))
}

// runTests runs the tests of the tunnel.
func runTests(here string) error {
	failed := false
	for _, t := range []struct{ program, dir, ktls string }{
		{"namespaces", "src/integration/namespaces", "1"}, {"namespaces", "src/integration/namespaces", "0"}, {"transport", "src/transport", "1"}, {"tun", "src/tun", "1"},
	} {
		fmt.Printf("== %s, ktls %s\n", t.program, t.ktls)
		if err := runTest(here, t.program, t.dir, t.ktls); err != nil {
			fmt.Println(err)
			failed = true
		}
	}
	if failed {
		return errors.New("a test failed")
	}
	return nil
}

// runTest runs one program of tests and prints its output. The tests in namespaces take long, so each of them is shown. Left
// out are the transfer of a gibibyte, which takes too long here, and the memory, which is shared in other ways than on a real
// machine.
func runTest(here, program, dir, ktls string) error {
	cmd := exec.Command(filepath.Join(here, "build/emulated/pc/tests", program), "-test.timeout=10m", "-test.skip=OneGiB|ResidentMemory",
		fmt.Sprintf("-test.v=%v", program == "namespaces"))
	cmd.Dir = filepath.Join(here, dir)
	cmd.Env = append(os.Environ(), "SSTP_TEST_KTLS="+ktls, "SSTP_TEST_PATIENCE=6", "HOME=/tmp")
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	cmd.Stderr = cmd.Stdout
	if err := cmd.Start(); err != nil {
		return err
	}
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if line := lines.Text(); !strings.HasPrefix(line, "=== ") {
			fmt.Println(line)
		}
	}
	return cmd.Wait()
}
