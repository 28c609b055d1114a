// Command guest is the first process of an emulated machine: it makes the machine ready, lets a client and a server talk
// to each other in network namespaces, measures, tells the figures on the console, and says in its last line whether all
// went well. The same program is the traffic's source and sink, and the plain TLS copies that the tunnel is compared with.
package main

import (
	"fmt"
	"os"
	"strconv"

	"golang.org/x/sys/unix"

	"sstp/src/integration"
)

// What the machine's keeper waits for.
const (
	greeting = "GUEST BEGINS"
	verdict  = "GUEST ENDED "
)

func main() {
	if os.Getpid() == 1 {
		fmt.Println("\n" + greeting)
		code := 0
		if err := machine(); err != nil {
			fmt.Println("FAILED:", err)
			code = 1
		}
		fmt.Printf("%s%d\n", verdict, code)
		unix.Sync()
		unix.Reboot(unix.LINUX_REBOOT_CMD_RESTART)
	}
	if err := command(os.Args[1:]); err != nil {
		fmt.Println("failed:", err)
		os.Exit(1)
	}
}

// command is what this program does where it is not the first process.
func command(args []string) error {
	number := func(i int) int64 {
		n, _ := strconv.ParseInt(args[i], 10, 64)
		return n
	}
	switch args[0] {
	case "hold": // keeps a network namespace alive
		for {
			unix.Pause()
		}
	case "in": // PID PROGRAM ARGUMENT...
		return enter(args[1], args[2:])
	case "serve": // ADDRESS: transfers with checksums
		return integration.Serve(args[1], func() { fmt.Println("serving") })
	case "transfer": // ADDRESS up|down BYTES
		took, err := integration.Transfer(args[1], args[2] == "up", number(3))
		if err == nil {
			fmt.Println("moved in", took)
		}
		return err
	case "source": // ADDRESS: traffic that costs next to nothing to make and to check
		return serveTraffic(args[1])
	case "traffic": // ADDRESS up|down BYTES
		return traffic(args[1], args[2] == "up", number(3))
	case "echo": // ADDRESS: sends datagrams back
		return echo(args[1])
	case "datagrams": // ADDRESS BYTES COUNT WINDOW: to that server and back
		return datagrams(args[1], int(number(2)), int(number(3)), int(number(4)))
	case "tls-server": // ADDRESS VERSION SUITE: what plain copies talk to
		return serveCopies(args[1], args[2], args[3])
	case "copy": // ADDRESS go|kernel up|down BYTES
		return copyPlainly(args[1], args[2], args[3] == "up", number(4))
	case "handshake": // ADDRESS CA
		return handshake(args[1], args[2])
	}
	return fmt.Errorf("there is no command %q", args[0])
}
