package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/x509"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"sstp/src/config"
	"sstp/src/fault"
	"sstp/src/logs"
	"sstp/src/machine"
	"sstp/src/session"
	"sstp/src/text"
	"sstp/src/transport/trust"
	"sstp/src/tunnels"
	"sstp/src/ubus"
	"sstp/src/uci"
	"sstp/src/ucifile"
)

const probeUsage = "sstp probe HOST[:PORT] [--user NAME] [--password-file FILE] [-o OPTION=VALUE] [--anyway]"

// probe tries a server stage by stage and prints what it finds. Where the login may end the call of a running tunnel, it asks
// first; where there is nobody to ask, it does not log in without --anyway.
func probe(args []string, stdin, stdout, stderr *os.File) int {
	args, anyway := withFlag(args, "--anyway")
	a, err := parseArgs(args, "--config", "--user", "--password-file")
	if err == nil && len(a.operands) != 1 {
		err = fmt.Errorf("probe takes one server or interface")
	}
	if err != nil {
		fmt.Fprintf(stderr, "error: %v\nhint: %s\n", err, probeUsage)
		return exitUsage
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	bus, err := ubus.Dial(ctx, busOptions())
	if err == nil {
		defer bus.Close()
	}
	t, err := probeTunnel(ctx, a, bus, stdin, stderr)
	if err != nil {
		complain(stderr, err)
		return exitUsage
	}
	var running []tunnels.Login
	if !anyway {
		running = tunnels.Client{Bus: bus, Folder: localFolder()}.Logins(ctx, t)
	}
	code := exitFailed
	for _, server := range t.Servers {
		passed, held := probeServer(ctx, t, server, bus, running, stdout)
		if held != nil {
			fmt.Fprintf(stdout, "  %s\n", held.Text())
			if asked(ctx, stdin, stderr, "Log in all the same?") {
				passed, _ = probeServer(ctx, t, server, bus, nil, stdout)
			} else {
				fmt.Fprintf(stdout, "  hint: sstp probe %s --anyway\n", a.operands[0])
			}
		}
		if passed {
			code = exitOK
		}
	}
	return code
}

// probeServer tries one server and prints what it finds. held is the running tunnel because of which it did not log in.
func probeServer(ctx context.Context, t *config.Tunnel, server config.Server, bus *ubus.Client, running []tunnels.Login, stdout *os.File) (passed bool, held *tunnels.Login) {
	fmt.Fprintf(stdout, "%s\n", server)
	guard := tunnels.Guard{Running: running, Server: server}
	report := session.Probe(ctx, session.ProbeConfig{
		Tunnel: t, Server: server, Dial: machine.ProbeDialer(t, bus), InnerTLS: machine.InnerTLS(t), Random: rand.Reader, MayLogIn: guard.MayLogIn,
		Step: func(s session.Step) { printStep(stdout, s) },
	})
	printChain(stdout, report)
	return report.Failed() == nil, guard.Held
}

// probeTunnel puts the options of a probe together: those of an interface, or defaults, and what the command line says.
func probeTunnel(ctx context.Context, a arguments, bus *ubus.Client, stdin, stderr *os.File) (*config.Tunnel, error) {
	name, values, err := probeTarget(ctx, a, bus)
	if err != nil {
		return nil, err
	}
	for _, s := range a.settings {
		option, value, ok := strings.Cut(s, "=")
		if !ok {
			return nil, fault.Plain(fault.InvalidOptions, fault.StageConfig, fmt.Sprintf("-o %s has no value.", s)).
				WithDetail("Write it as -o OPTION=VALUE.")
		}
		if !slices.ContainsFunc(config.Options(), func(o config.Option) bool { return o.Name == option }) {
			return nil, fault.Plain(fault.InvalidOptions, fault.StageConfig, "There is no option "+strconv.Quote(option)+".").
				WithDetail("Check the spelling; options are named as in the interface's configuration.")
		}
		if option == "password" {
			return nil, fault.Plain(fault.InvalidOptions, fault.StageConfig,
				"A password on the command line can be seen by every user of this machine.").
				WithDetail("Use --password-file, or type it when asked.")
		}
		values[option] = append(values[option], value)
	}
	if user, ok := a.values["--user"]; ok {
		values["username"] = []string{user}
		password, err := readPassword(ctx, a.values["--password-file"], stdin, stderr)
		if err != nil {
			return nil, fault.Plain(fault.InvalidOptions, fault.StageConfig, "The password cannot be read: "+err.Error()+".").
				WithDetail("Give a readable file with --password-file, or the password on standard input.")
		}
		values["password"] = []string{password}
	}
	t, warnings, err := config.Parse(name, values)
	for _, w := range warnings {
		fmt.Fprintf(stderr, "warning: option %s: %s\n", w.Option, w.Text)
	}
	return t, err
}

// probeTarget finds out whether the operand is an interface, and returns its name and options; otherwise it is a server.
func probeTarget(ctx context.Context, a arguments, bus *ubus.Client) (name string, values config.Values, err error) {
	operand := a.operands[0]
	if dir, ok := a.values["--config"]; ok {
		values, err = ucifile.Read(dir, operand)
		return operand, values, err
	}
	if bus != nil {
		if values, err = uci.Options(ctx, bus, operand, ""); err == nil && uci.CheckProto(values, operand) == nil {
			return operand, values, nil
		}
	}
	if values, err = ucifile.Read("", operand); err == nil {
		return operand, values, nil
	}
	return "probe", config.Values{"server": {operand}}, nil
}

// readPassword reads the first line of the file, or of standard input, which is not echoed on a terminal. There it waits for
// people, and ends the program when ctx ends: nothing else ends a read of a terminal.
func readPassword(ctx context.Context, file string, stdin, stderr *os.File) (string, error) {
	in := stdin
	if file != "" && file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return "", err
		}
		defer f.Close()
		in = f
	} else if restore, ok := hideInput(stdin); ok {
		fmt.Fprint(stderr, "Password: ")
		answered := context.AfterFunc(ctx, func() {
			restore()
			fmt.Fprintln(stderr)
			os.Exit(exitFailed)
		})
		defer func() {
			if answered() {
				restore()
				fmt.Fprintln(stderr)
			}
		}()
	}
	return readLine(in)
}

// asked asks a question where there is somebody at a terminal to answer it, and reports whether the answer is yes. Like
// readPassword, it ends the program when ctx ends.
func asked(ctx context.Context, stdin, stderr *os.File, question string) bool {
	if !isTerminal(stdin) || !isTerminal(stderr) {
		return false
	}
	fmt.Fprintf(stderr, "%s [y/N] ", question)
	answered := context.AfterFunc(ctx, func() {
		fmt.Fprintln(stderr)
		os.Exit(exitFailed)
	})
	defer answered()
	answer, err := readLine(stdin)
	return err == nil && strings.HasPrefix(strings.ToLower(strings.TrimSpace(answer)), "y")
}

// maxPassword is the longest line that readLine takes, more than any method can carry.
const maxPassword = 1024

// readLine reads up to the first newline, byte by byte, so that what follows stays in the file.
func readLine(r io.Reader) (string, error) {
	var line []byte
	var b [1]byte
	for len(line) <= maxPassword {
		n, err := r.Read(b[:])
		if n == 1 {
			if b[0] == '\n' {
				return string(bytes.TrimSuffix(line, []byte("\r"))), nil
			}
			line = append(line, b[0])
		}
		if err == io.EOF {
			return string(line), nil
		}
		if err != nil {
			return "", err
		}
	}
	return "", fmt.Errorf("the first line is longer than %d bytes", maxPassword)
}

func printStep(w io.Writer, s session.Step) {
	mark := "ok    "
	if s.Err != nil {
		mark = "FAILED"
	}
	fmt.Fprintf(w, "  %s %-8s %7.1f ms  ", mark, s.Stage, float64(s.Took)/float64(time.Millisecond))
	if s.Err == nil {
		fmt.Fprintln(w, s.Finding.Text)
		return
	}
	fmt.Fprintf(w, "%s: %s\n", s.Err.Code, text.Show(s.Err.Message, logs.MaxLine))
	if s.Err.Hint != "" {
		fmt.Fprintf(w, "  %*s hint: %s\n", 27, "", text.Show(s.Err.Hint, logs.MaxLine))
	}
}

// printChain shows the certificates that the server presented, with what a pin of the leaf would be.
func printChain(w io.Writer, r *session.Report) {
	if len(r.Chain) == 0 {
		return
	}
	fmt.Fprintf(w, "  certificates (%s)\n", verifiedText(r.VerifiedBy))
	for i, c := range r.Chain {
		fmt.Fprintf(w, "  %d subject %s\n    issuer  %s\n    valid   %s to %s\n", i, nameText(c, true), nameText(c, false),
			c.NotBefore.UTC().Format(time.DateOnly), c.NotAfter.UTC().Format(time.DateOnly))
		if i > 0 {
			continue
		}
		if names := trust.Names(c); len(names) > 0 {
			fmt.Fprintf(w, "    names   %s\n", text.Show(strings.Join(names, ", "), maxShown))
		}
		fmt.Fprintf(w, "    pin     %s\n    pin     %s\n", trust.LeafPin(c), trust.KeyPin(c))
	}
}

func verifiedText(by string) string {
	if by == "" {
		return "refused"
	}
	return string(trust.VerifiedText(by))
}

func nameText(c *x509.Certificate, subject bool) string {
	name := c.Issuer
	if subject {
		name = c.Subject
	}
	return text.Show(name.String(), maxShown)
}

// maxShown is how many characters of a stranger's certificate or finding are shown.
const maxShown = 300

// hideInput turns a terminal's echo off and returns how to turn it on again; ok is false where f is no terminal.
func hideInput(f *os.File) (restore func(), ok bool) {
	fd := int(f.Fd())
	old, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	if err != nil {
		return nil, false
	}
	quiet := *old
	quiet.Lflag &^= unix.ECHO
	if unix.IoctlSetTermios(fd, unix.TCSETS, &quiet) != nil {
		return nil, false
	}
	return func() { unix.IoctlSetTermios(fd, unix.TCSETS, old) }, true
}

// isTerminal reports whether f is one.
func isTerminal(f *os.File) bool {
	_, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	return err == nil
}
