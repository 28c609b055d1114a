// Command sstp is the SSTP VPN client for OpenWrt routers and other Linux machines.
package main

import (
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"strings"

	"sstp/src/fault"
	"sstp/src/logs"
	"sstp/src/text"
)

// version is set by the linker.
var version = "development"

// gcPercent makes Go collect garbage at 2 MiB of heap instead of 4: a router has little memory, and of garbage there is so
// little (crypto/tls leaves some behind for each record) that it costs nothing.
const gcPercent = 50

const usage = `sstp: an SSTP VPN client

Usage:
  sstp status [NAME] [--json]        what the tunnels do; exit code 1 when one is not up
  sstp watch [NAME]                  the same, live
  sstp reconnect NAME                end the call, if any, and dial now
  sstp probe NAME [options]          try the servers of a tunnel stage by stage, without touching the network
  sstp probe HOST[:PORT] [options]   the same with any server
  sstp killswitch NAME on|off|status [options]
                                     networks that reach the internet only through the tunnel
  sstp up NAME [--config DIR]        bring the tunnel up without netifd; Ctrl-C ends it
  sstp daemon NAME                   what netifd starts for an interface with option proto 'sstp'
  sstp version

Options of probe:
  --config DIR             read NAME from DIR/network instead of the router's configuration
  --user NAME              log in too; the password is asked for, or read from standard input
  --password-file FILE     read the password from the first line of FILE
  --anyway                 log in even where that may end the call of a running tunnel
  -o OPTION=VALUE          any option of the configuration, such as verify=none, server_name=vpn.example.org

Options of killswitch NAME on:
  --zone ZONE              firewall zone of these networks, again for more; the one of lan by default
  --except ADDRESS         device that may use the uplink: address, subnet or MAC; again for more
  --router                 the router itself sends nothing but the tunnel's call, either
  --no-names               names may be asked of the uplink's name servers

NAME is a section 'config interface NAME' with option proto 'sstp' in DIR/network; DIR is /etc/config by default.
`

// Exit codes.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2
)

func main() {
	debug.SetGCPercent(gcPercent)
	os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

func run(args []string, stdin *os.File, stdout, stderr *os.File) int {
	if len(args) == 0 {
		io.WriteString(stderr, usage)
		return exitUsage
	}
	if contains(args, "--help") || contains(args, "-h") {
		io.WriteString(stdout, usage)
		return exitOK
	}
	switch args[0] {
	case "daemon":
		return daemon(args[1:], stderr)
	case "status":
		return status(args[1:], stdout, stderr)
	case "watch":
		return watch(args[1:], stdout, stderr)
	case "killswitch":
		return killSwitch(args[1:], stdout, stderr)
	case "reconnect":
		return reconnect(args[1:], stderr)
	case "rpcd":
		return rpcd(args[1:], stdin, stdout, stderr)
	case "up":
		return up(args[1:], stdout, stderr)
	case "probe":
		return probe(args[1:], stdin, stdout, stderr)
	case "version", "--version":
		fmt.Fprintln(stdout, "sstp", version)
		return exitOK
	case "help":
		io.WriteString(stdout, usage)
		return exitOK
	}
	fmt.Fprintf(stderr, "error: there is no command %q\nhint: sstp help lists the commands\n", args[0])
	return exitUsage
}

// complain prints a failure as people want it: what happened, its code, and what to do.
func complain(w io.Writer, err error) {
	f := fault.Of(err, fault.InvalidOptions, fault.StageConfig)
	fmt.Fprintf(w, "error: %s (%s)\n", text.Show(f.Message, logs.MaxLine), f.Code)
	if f.Hint != "" {
		fmt.Fprintf(w, "hint: %s\n", text.Show(f.Hint, logs.MaxLine))
	}
}

// arguments are a command line taken apart: options may stand before and behind the operands.
type arguments struct {
	operands []string
	values   map[string]string // of options that take one
	settings []string          // of -o, in order
}

// parseArgs takes args apart. allowed lists the options that exist, each with a value.
func parseArgs(args []string, allowed ...string) (arguments, error) {
	a := arguments{values: map[string]string{}}
	for i := 0; i < len(args); i++ {
		arg := args[i]
		if !strings.HasPrefix(arg, "-") || arg == "-" {
			a.operands = append(a.operands, arg)
			continue
		}
		name, value, inline := strings.Cut(arg, "=")
		if name != "-o" && !contains(allowed, name) {
			return a, fmt.Errorf("there is no option %s", name)
		}
		if name == "-o" {
			value, inline = strings.TrimPrefix(arg, "-o="), arg != "-o"
		}
		if !inline {
			if i++; i == len(args) {
				return a, fmt.Errorf("option %s needs a value", name)
			}
			value = args[i]
		}
		if name == "-o" {
			a.settings = append(a.settings, value)
			continue
		}
		a.values[name] = value
	}
	return a, nil
}

func contains(list []string, s string) bool {
	for _, l := range list {
		if l == s {
			return true
		}
	}
	return false
}
