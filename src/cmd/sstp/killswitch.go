package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"sstp/src/control"
	"sstp/src/firewall"
	"sstp/src/killswitch"
	"sstp/src/ubus"
	"sstp/src/uci"
)

const killswitchUsage = "sstp killswitch NAME on [--zone ZONE]... [--except ADDRESS]... [--router] [--no-names], or off, or status [--json]"

// killswitchLimit bounds the command: the firewall of a slow router takes seconds to load.
const killswitchLimit = 60 * time.Second

// switchCommand is the command line taken apart.
type switchCommand struct {
	killswitch.Request
	verb string
	json bool
}

// parseSwitch takes the arguments of killswitch apart.
func parseSwitch(args []string) (c switchCommand, err error) {
	c.Names = true
	var operands []string
	for i := 0; i < len(args); i++ {
		name, value, inline := strings.Cut(args[i], "=")
		switch name {
		case "--zone", "--except":
			if !inline {
				if i++; i == len(args) {
					return c, fmt.Errorf("option %s needs a value", name)
				}
				value = args[i]
			}
			if name == "--zone" {
				c.Zones = append(c.Zones, value)
			} else {
				c.Except = append(c.Except, value)
			}
		case "--router":
			c.Router = true
		case "--no-names":
			c.Names = false
		case "--json":
			c.json = true
		default:
			if strings.HasPrefix(name, "-") {
				return c, fmt.Errorf("there is no option %s", name)
			}
			operands = append(operands, args[i])
		}
	}
	if len(operands) != 2 || operands[1] != "on" && operands[1] != "off" && operands[1] != "status" {
		return c, errors.New("killswitch takes the name of an interface, and on, off or status")
	}
	c.Tunnel, c.verb = operands[0], operands[1]
	if c.verb != "on" && (c.Zones != nil || c.Except != nil || c.Router || !c.Names) {
		return c, errors.New("the options say how to turn the kill switch on")
	}
	return c, nil
}

// killSwitch turns the kill switch of a tunnel on or off, or shows its status. The exit code of on and status is exitOK if the
// switch is on and complete.
func killSwitch(args []string, stdout, stderr io.Writer) int {
	c, err := parseSwitch(args)
	if err != nil {
		fmt.Fprintf(stderr, "error: %v\nhint: %s\n", err, killswitchUsage)
		return exitUsage
	}
	ctx, cancel := context.WithTimeout(context.Background(), killswitchLimit)
	defer cancel()
	bus, err := ubus.Dial(ctx, busOptions())
	if err != nil {
		fmt.Fprintf(stderr, "error: %v\nhint: the kill switch is a part of OpenWrt's configuration; on other systems option hold 'forever' keeps the tunnel closed\n", err)
		return exitFailed
	}
	defer bus.Close()
	s := firewall.Switch{UCI: uci.Store{Bus: bus}, Firewall: firewall.Router()}
	if c.verb != "status" {
		if err := s.Turn(ctx, c.verb == "on", c.Request); err != nil {
			complain(stderr, err)
			return exitFailed
		}
	}
	st, err := s.Inspect(ctx, c.Tunnel)
	if err != nil {
		complain(stderr, err)
		return exitFailed
	}
	if c.json {
		printJSON(stdout, control.KillSwitchFields(&st))
	} else {
		printSwitch(stdout, st)
	}
	if c.verb == "off" && st.On || c.verb != "off" && !st.Complete() {
		return exitFailed
	}
	return exitOK
}

// printSwitch prints the status of a switch for people.
func printSwitch(w io.Writer, st killswitch.Status) {
	if !st.On {
		fmt.Fprintf(w, "%s: kill switch off\n", st.Tunnel)
	} else {
		fmt.Fprintf(w, "%s: kill switch on\n", st.Tunnel)
		printRow(w, "zones", strings.Join(st.Zones, ", "))
		if len(st.Except) > 0 {
			printRow(w, "except", strings.Join(st.Except, ", "))
		}
		if st.Names {
			printRow(w, "names", "not asked of the uplinks' name servers")
		}
		if st.Router {
			printRow(w, "router", "sends nothing but the tunnel's call")
		}
	}
	for _, p := range st.Problems {
		printRow(w, "problem", p.Text)
	}
	switch {
	case !st.On || len(st.Problems) == 0:
	case len(st.Problems) == 1 && strings.HasSuffix(st.Problems[0].Key, "_loaded"): // the configuration is as it should be
		printRow(w, "try", "service firewall restart")
	default:
		printRow(w, "try", "sstp killswitch "+st.Tunnel+" on, with the same options")
	}
}
