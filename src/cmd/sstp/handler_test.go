package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"sstp/src/config"
)

const handlerFile = "../../../files/lib/netifd/proto/sstp.sh"

// shells returns the shells of this machine that can stand for OpenWrt's.
func shells(t *testing.T) map[string][]string {
	t.Helper()
	found := map[string][]string{}
	for name, argv := range map[string][]string{"busybox": {"busybox", "ash"}, "dash": {"dash"}, "bash": {"bash", "--posix"}} {
		if path, err := exec.LookPath(argv[0]); err == nil {
			found[name] = append([]string{path}, argv[1:]...)
		}
	}
	if found["busybox"] == nil {
		t.Log("busybox is not installed: the handler is not run by its own shell")
	}
	if len(found) == 0 {
		t.Skip("no shell that could run the handler")
	}
	return found
}

// runHandler runs an action of the handler as netifd does, with the functions of netifd-proto.sh replaced by ones that print
// what they are called with. The program's place is empty unless with a program.
func runHandler(t *testing.T, shell []string, program bool, env []string, args ...string) string {
	t.Helper()
	dir := t.TempDir()
	text, err := os.ReadFile(handlerFile)
	if err != nil {
		t.Fatal(err)
	}
	sbin := filepath.Join(dir, "sbin-sstp")
	if program {
		write(t, sbin, "#!/bin/sh\n", 0o755)
	}
	functions := filepath.Join(dir, "functions.sh")
	write(t, functions, "", 0o644)
	script := strings.NewReplacer("/usr/sbin/sstp", sbin, "/lib/functions.sh", functions).Replace(string(text))
	write(t, filepath.Join(dir, "netifd-proto.sh"), `
proto_config_add_string() { echo "string $1"; }
proto_config_add_array() { echo "array $1"; }
proto_config_add_int() { echo "int $1"; }
proto_config_add_boolean() { echo "boolean $1"; }
proto_export() { printf 'export %s\n' "$1"; }
proto_run_command() { echo "run $*"; echo "Command failed: all that was exported" >&2; }
proto_kill_command() { echo "kill $*"; }
proto_notify_error() { echo "error $*"; }
proto_block_restart() { echo "block $*"; }
init_proto() { proto="$1"; cmd="$2"; interface="$3"; data="$4"; }
add_protocol() {
	case "$cmd" in
	dump)
		proto_sstp_init_config
		echo "flags available=$available no_device=$no_device lasterror=$lasterror renew_handler=$renew_handler" ;;
	*) "proto_$1_$cmd" "$interface" ;;
	esac
}
`, 0o644)
	folder := filepath.Join(dir, "proto")
	if err := os.Mkdir(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(folder, "sstp.sh"), script, 0o755)
	cmd := exec.Command(shell[0], append(append(slices.Clone(shell[1:]), "./sstp.sh"), args...)...)
	cmd.Dir, cmd.Env = folder, append([]string{"PATH=" + os.Getenv("PATH")}, env...)
	out, err := cmd.CombinedOutput()
	if err != nil && args[1] == "dump" {
		t.Fatalf("%v\n%s", err, out)
	}
	return strings.ReplaceAll(string(out), sbin, "/usr/sbin/sstp")
}

func write(t *testing.T, path, text string, mode os.FileMode) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
}

func inEachShell(t *testing.T, test func(t *testing.T, shell []string)) {
	for name, shell := range shells(t) {
		t.Run(name, func(t *testing.T) { test(t, shell) })
	}
}

func TestTheHandlerDeclaresTheOptionsOfConfig(t *testing.T) {
	var want []string
	for _, o := range config.Options() {
		kind := "string " // numbers and booleans too: netifd drops without a word what it cannot read as one
		if o.Type == config.List {
			kind = "array "
		}
		want = append(want, kind+o.Name)
	}
	slices.Sort(want)
	inEachShell(t, func(t *testing.T, shell []string) {
		lines := strings.Split(strings.TrimSpace(runHandler(t, shell, true, nil, "", "dump")), "\n")
		flags := lines[len(lines)-1]
		if flags != "flags available=1 no_device=1 lasterror=1 renew_handler=1" {
			t.Errorf("%s", flags)
		}
		got := lines[:len(lines)-1]
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("declared\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	})
}

func TestTheHandlerLeavesToNetifdWhatIsNetifds(t *testing.T) {
	text, err := os.ReadFile(handlerFile)
	if err != nil {
		t.Fatal(err)
	}
	declared := regexp.MustCompile(`(?s)proto_sstp_init_config\(\) \{.*?\n\}`).FindString(string(text))
	for _, name := range strings.Fields("defaultroute peerdns metric dns ip4table ip6table delegate zone") {
		if regexp.MustCompile(`\b` + name + `\b`).MatchString(declared) {
			t.Errorf("%s is declared: a change of it would end the tunnel", name)
		}
	}
	for _, bad := range []string{"sleep", "eval", "resolveip", "insmod", "uci ", "password="} {
		if strings.Contains(string(text), bad) {
			t.Errorf("the handler has %q in it: it is to hand on and to report, nothing else", bad)
		}
	}
}

func TestWithoutTheProgramThereIsNoProtocol(t *testing.T) {
	inEachShell(t, func(t *testing.T, shell []string) {
		if out := runHandler(t, shell, false, nil, "", "dump"); out != "" {
			t.Errorf("it declares %q", out)
		}
	})
}

func TestTheConfigurationIsHandedOnInTheEnvironmentUnchanged(t *testing.T) {
	options, err := json.Marshal(map[string]any{"proto": "sstp", "password": `p "w' $HOME *` + "`id`\\", "server": []string{"a b", "c"}})
	if err != nil {
		t.Fatal(err)
	}
	inEachShell(t, func(t *testing.T, shell []string) {
		out := runHandler(t, shell, true, nil, "sstp", "setup", "vpn", string(options))
		lines := strings.Split(strings.TrimSpace(out), "\n")
		if len(lines) != 3 || lines[0] != "export SSTP_CONFIG="+string(options) ||
			!regexp.MustCompile(`^export SSTP_PARENT=\d+$`).MatchString(lines[1]) || lines[2] != "run vpn /usr/sbin/sstp daemon vpn" {
			t.Errorf("setup does\n%s", out)
		}
	})
}

func TestRenewAndTeardown(t *testing.T) {
	inEachShell(t, func(t *testing.T, shell []string) {
		for name, c := range map[string]struct{ action, failure, want string }{
			"renew dials anew":                     {"renew", "", "kill vpn 1\n"},
			"ifdown":                               {"teardown", "", "kill vpn\n"},
			"the daemon crashed":                   {"teardown", "2", "kill vpn\n"},
			"it was killed":                        {"teardown", "0", "kill vpn\n"},
			"it gave up, and has said why":         {"teardown", "3", "block vpn\nkill vpn\n"},
			"there is no program, or no such code": {"teardown", "127", "block vpn\nkill vpn\n"},
		} {
			var env []string
			if c.failure != "" {
				env = []string{"ERROR=" + c.failure}
			}
			out := runHandler(t, shell, true, env, "sstp", c.action, "vpn", "{}")
			if c.failure == "127" {
				var told bool
				if out, told = strings.CutPrefix(out, "error vpn INVALID_OPTIONS The program /usr/sbin/sstp cannot be started. Install the package sstp again.\n"); !told {
					t.Errorf("%s: netifd is not told", name)
				}
			}
			if out != c.want {
				t.Errorf("%s: %q, want %q", name, out, c.want)
			}
		}
	})
}

func TestTheScriptsAreGoodShell(t *testing.T) {
	inEachShell(t, func(t *testing.T, shell []string) {
		for _, file := range []string{handlerFile, "../../../files/usr/libexec/rpcd/sstp"} {
			if out, err := exec.Command(shell[0], append(slices.Clone(shell[1:]), "-n", file)...).CombinedOutput(); err != nil {
				t.Errorf("%s: %v\n%s", file, err, out)
			}
			info, err := os.Stat(file)
			if err != nil || info.Mode().Perm() != 0o755 {
				t.Errorf("%s: %v, mode %v", file, err, info.Mode())
			}
		}
	})
}
