package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"syscall"
	"time"

	"sstp/src/blobmsg"
	"sstp/src/control"
	"sstp/src/ubus"
)

// commandLimit bounds what a command asks of the bus.
const commandLimit = 10 * time.Second

// withFlag takes an option without a value out of the arguments. It reports whether it was there.
func withFlag(args []string, flag string) (rest []string, found bool) {
	rest = slices.DeleteFunc(slices.Clone(args), func(a string) bool { return a == flag })
	return rest, len(rest) < len(args)
}

// onlyName returns the name of an interface that is a command's only argument, "" where there is none and none is needed.
func onlyName(args []string, stderr io.Writer, usage string, needed bool) (name string, ok bool) {
	a, err := parseArgs(args)
	if err == nil && len(a.settings) == 0 && len(a.operands) <= 1 && (len(a.operands) == 1 || !needed) {
		if len(a.operands) == 1 {
			name = a.operands[0]
		}
		return name, true
	}
	if err == nil {
		err = errors.New("that is not how it is called")
	}
	fmt.Fprintf(stderr, "error: %v\nhint: %s\n", err, usage)
	return "", false
}

// status prints what the tunnels do.
func status(args []string, stdout, stderr io.Writer) int {
	args, json := withFlag(args, "--json")
	name, ok := onlyName(args, stderr, "sstp status [NAME] [--json]", false)
	if !ok {
		return exitUsage
	}
	ctx, cancel := context.WithTimeout(context.Background(), commandLimit)
	defer cancel()
	q := dialTunnels(ctx)
	defer q.Close()
	answers, err := q.About(ctx, name)
	if err != nil {
		fmt.Fprintf(stderr, "error: %v\n", err)
		return exitFailed
	}
	code := exitOK
	var list []blobmsg.Fields
	for i, a := range answers {
		if !a.Up() {
			code = exitFailed
		}
		list = append(list, a.Fields)
		if !json {
			if i > 0 {
				fmt.Fprintln(stdout)
			}
			answer{a}.print(stdout, time.Now())
		}
	}
	switch {
	case json && name != "":
		printJSON(stdout, list[0])
	case json:
		var all blobmsg.Fields
		all.AddTables("tunnels", list)
		printJSON(stdout, all)
	}
	if len(answers) == 0 {
		if !json {
			fmt.Fprintln(stdout, "there is no interface with option proto 'sstp'"+unlessRoot())
		}
		code = exitFailed
	}
	return code
}

// unlessRoot returns a reservation for users other than root, to whom ubusd shows only what they may call.
func unlessRoot() string {
	if os.Geteuid() == 0 {
		return ""
	}
	return ", or only root may ask for it"
}

func printJSON(w io.Writer, f blobmsg.Fields) {
	w.Write(append(blobmsg.AppendJSON(nil, blobmsg.Tab(f...)), '\n'))
}

// watch prints the status again and again: on a terminal as a page that is kept up to date, otherwise a line for each change.
func watch(args []string, stdout *os.File, stderr io.Writer) int {
	name, ok := onlyName(args, stderr, "sstp watch [NAME]", false)
	if !ok {
		return exitUsage
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	q := dialTunnels(ctx)
	defer q.Close()
	changed := make(chan struct{}, 1)
	if q.Bus != nil {
		q.Bus.Listen(control.Event, func(string, blobmsg.Fields) {
			select {
			case changed <- struct{}{}:
			default:
			}
		})
	}
	page := isTerminal(stdout)
	told := map[string]string{}
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		answers, err := q.About(ctx, name)
		switch {
		case ctx.Err() != nil:
			return exitOK
		case err != nil:
			fmt.Fprintf(stderr, "error: %v\n", err)
			return exitFailed
		case page:
			io.WriteString(stdout, "\x1b[H\x1b[J")
			for _, a := range answers {
				answer{a}.print(stdout, time.Now())
				fmt.Fprintln(stdout)
			}
		default:
			for _, a := range answers {
				if line := (answer{a}).headline(); told[a.Name] != line {
					told[a.Name] = line
					fmt.Fprintf(stdout, "%s %s\n", time.Now().Format("15:04:05"), line)
				}
			}
		}
		select {
		case <-ctx.Done():
			return exitOK
		case <-tick.C:
		case <-changed:
		}
	}
}

// reconnect makes a daemon end its call and dial.
func reconnect(args []string, stderr io.Writer) int {
	name, ok := onlyName(args, stderr, "sstp reconnect NAME", true)
	if !ok {
		return exitUsage
	}
	ctx, cancel := context.WithTimeout(context.Background(), commandLimit)
	defer cancel()
	q := dialTunnels(ctx)
	defer q.Close()
	_, err := q.Call(ctx, name, "reconnect")
	switch {
	case err == nil:
		return exitOK
	case errors.Is(err, ubus.StatusNotFound):
		if a, askErr := q.Ask(ctx, name); askErr == nil {
			answer{a}.print(stderr, time.Now())
			return exitFailed
		}
	}
	fmt.Fprintf(stderr, "error: %v\n", err)
	return exitFailed
}
