package main

import (
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"
)

// routerMain is the first process of the router: it builds the file system, becomes its root, says "ready", and then does
// what a first process must, which is to collect the dead.
func routerMain() {
	j := begin()
	signals := make(chan os.Signal, 16)
	signal.Notify(signals, syscall.SIGCHLD, syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP, syscall.SIGUSR1, syscall.SIGUSR2)
	if err := buildRouter(j); err != nil {
		fmt.Fprintln(os.Stderr, "building the router:", err)
		os.Exit(1)
	}
	fmt.Fprintln(answer(), "ready")
	for range signals {
		for {
			if pid, err := syscall.Wait4(-1, nil, syscall.WNOHANG, nil); pid <= 0 && err != syscall.EINTR {
				break
			}
		}
	}
}

// buildRouter lays a file system that forgets everything over the given root, puts our files into it and makes it the root of
// this process.
func buildRouter(j job) error {
	if err := unix.Sethostname([]byte("OpenWrt")); err != nil {
		return err
	}
	base := filepath.Join(j.Dir, "router")
	if err := mounts(j.Root, base); err != nil {
		return err
	}
	root := filepath.Join(base, "merged")
	if err := install(j, root); err != nil {
		return err
	}
	old := filepath.Join(root, "mnt")
	if err := os.MkdirAll(old, 0o755); err != nil {
		return err
	}
	if err := unix.PivotRoot(root, old); err != nil {
		return fmt.Errorf("pivot_root: %w", err)
	}
	if err := os.Chdir("/"); err != nil {
		return err
	}
	return unix.Unmount("/mnt", unix.MNT_DETACH)
}

// mounts builds the router's file systems under base/merged.
func mounts(given, base string) error {
	mount := func(source, target, kind string, flags uintptr, data string) error {
		if _, err := os.Lstat(target); err != nil {
			if err := os.MkdirAll(target, 0o755); err != nil {
				return err
			}
		}
		if err := unix.Mount(source, target, kind, flags, data); err != nil {
			return fmt.Errorf("mounting %s on %s: %w", kind, target, err)
		}
		return nil
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return err
	}
	if err := mount("none", base, "tmpfs", 0, "mode=755"); err != nil {
		return err
	}
	// The given root may have characters in its path that overlay's options cannot hold.
	lower, upper, work, root := base+"/lower", base+"/upper", base+"/work", base+"/merged"
	if err := mount(given, lower, "", unix.MS_BIND, ""); err != nil {
		return err
	}
	for _, dir := range []string{upper, work} {
		if err := os.Mkdir(dir, 0o755); err != nil {
			return err
		}
	}
	if err := mount("overlay", root, "overlay", 0, "lowerdir="+lower+",upperdir="+upper+",workdir="+work); err != nil {
		return err
	}
	for _, m := range []struct{ kind, at, data string }{
		{"proc", "proc", ""}, {"sysfs", "sys", ""}, {"tmpfs", "tmp", "mode=1777"}, {"tmpfs", "dev", "mode=755"},
	} {
		if err := mount(m.kind, filepath.Join(root, m.at), m.kind, 0, m.data); err != nil {
			return err
		}
	}
	if err := guardProc(filepath.Join(root, "proc"), filepath.Join(base, "private"), mount); err != nil {
		return err
	}
	return devices(filepath.Join(root, "dev"), mount)
}

// guardProc keeps the machine's own settings and log from the router. A network namespace has its own /proc/sys/net; the rest
// of /proc/sys is one for the whole machine, and OpenWrt's start writes to it. The settings that it writes are files of the
// router's own, with the machine's values; the others cannot be written. The kernel's log is empty: each of its lines goes to
// one reader only, so two routers would take them from each other and from the machine.
func guardProc(proc, private string, mount func(source, target, kind string, flags uintptr, data string) error) error {
	bind := func(path string, flags uintptr) error {
		if err := mount(path, path, "", unix.MS_BIND, ""); err != nil {
			return err
		}
		return mount("none", path, "", unix.MS_BIND|unix.MS_REMOUNT|flags, "")
	}
	for _, setting := range []struct {
		path  string
		flags uintptr
	}{{"sys", unix.MS_RDONLY}, {"sys/net", 0}, {"sys/kernel/hostname", 0}, {"sys/kernel/domainname", 0}, {"sysrq-trigger", unix.MS_RDONLY}} {
		path := filepath.Join(proc, setting.path)
		if _, err := os.Stat(path); err != nil {
			continue // a kernel without it
		}
		if err := bind(path, setting.flags); err != nil {
			return err
		}
	}
	if err := os.Mkdir(private, 0o755); err != nil {
		return err
	}
	for _, name := range machineSettings {
		path, own := filepath.Join(proc, "sys", name), filepath.Join(private, filepath.Base(name))
		value, err := os.ReadFile(path)
		if err != nil {
			continue
		}
		if err := os.WriteFile(own, value, 0o644); err != nil {
			return err
		}
		if err := unix.Mount(own, path, "", unix.MS_BIND, ""); err != nil {
			return fmt.Errorf("mounting a file on %s: %w", path, err)
		}
	}
	empty := filepath.Join(private, "kmsg")
	if err := unix.Mkfifo(empty, 0o600); err != nil {
		return err
	}
	// Without a writer a reader would see its end. This one stays open as long as the router's first process.
	if _, err := unix.Open(empty, unix.O_RDWR|unix.O_NONBLOCK, 0); err != nil {
		return err
	}
	return unix.Mount(empty, filepath.Join(proc, "kmsg"), "", unix.MS_BIND, "")
}

// machineSettings are those under /proc/sys that OpenWrt's start writes and that no namespace has of its own.
var machineSettings = []string{
	"kernel/core_pattern", "kernel/panic", "fs/suid_dumpable", "fs/protected_hardlinks", "fs/protected_symlinks",
}

// devices makes what programs look for in /dev.
func devices(dev string, mount func(source, target, kind string, flags uintptr, data string) error) error {
	if err := os.Mkdir(dev+"/net", 0o755); err != nil {
		return err
	}
	for _, d := range []struct {
		name         string
		major, minor uint32
	}{
		{"null", 1, 3}, {"zero", 1, 5}, {"full", 1, 7}, {"random", 1, 8}, {"urandom", 1, 9}, {"tty", 5, 0}, {"net/tun", 10, 200},
	} {
		path := filepath.Join(dev, d.name)
		if err := unix.Mknod(path, unix.S_IFCHR|0o666, int(unix.Mkdev(d.major, d.minor))); err != nil {
			return fmt.Errorf("making %s: %w", path, err)
		}
		if err := os.Chmod(path, 0o666); err != nil {
			return err
		}
	}
	for name, to := range map[string]string{
		"fd": "/proc/self/fd", "stdin": "/proc/self/fd/0", "stdout": "/proc/self/fd/1", "stderr": "/proc/self/fd/2",
		"console": "/dev/null", "ptmx": "pts/ptmx",
	} {
		if err := os.Symlink(to, filepath.Join(dev, name)); err != nil {
			return err
		}
	}
	// The kernel's log is the whole machine's, not the router's.
	if err := os.WriteFile(dev+"/kmsg", nil, 0o644); err != nil {
		return err
	}
	if err := mount("none", dev+"/shm", "tmpfs", 0, "mode=1777"); err != nil {
		return err
	}
	return mount("none", dev+"/pts", "devpts", 0, "newinstance,ptmxmode=666,mode=620")
}

// install puts our files into the router and makes the folders that OpenWrt's start makes.
func install(j job, root string) error {
	for _, c := range []struct{ from, to string }{{"files", ""}, {"luci/htdocs", "www"}, {"luci/root", ""}} {
		if err := copyTree(filepath.Join(j.Source, c.from), filepath.Join(root, c.to)); err != nil {
			return err
		}
	}
	if err := copyFile(filepath.Join(j.Build, "sstp"), filepath.Join(root, "usr/sbin/sstp")); err != nil {
		return err
	}
	for _, dir := range []string{
		"run/ubus", "run/uhttpd", "run/fw4", "lock", "log", "sysinfo", "state", "resolv.conf.d", "hosts", "luci-sessions", "etc",
	} {
		if err := os.MkdirAll(filepath.Join(root, "tmp", dir), 0o755); err != nil {
			return err
		}
	}
	if err := os.Mkdir(filepath.Join(root, "tmp/.uci"), 0o700); err != nil {
		return err
	}
	for name, text := range map[string]string{"model": "namespaces of this machine", "board_name": "namespaces"} {
		if err := os.WriteFile(filepath.Join(root, "tmp/sysinfo", name), []byte(text+"\n"), 0o644); err != nil {
			return err
		}
	}
	return nil
}
