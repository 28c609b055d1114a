// Command guest is the first process of an emulated machine. It prepares the machine, lets a client and a server talk to each
// other in network namespaces, measures, prints the figures on the console, and says in its last line whether all went well.
// The same program is the client and the server of the plain TLS copies that the tunnel is compared with.
package main

import (
	"fmt"
	"os"
	"strconv"

	"golang.org/x/sys/unix"

	"sstp/src/integration/netkit"
)

// What the program that started the machine waits for.
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

// command is what this program does where it is not the first process: its processor time is measured then.
func command(args []string) error {
	switch args[0] {
	case "serve-copies": // ADDRESS VERSION SUITE
		return serveCopies(args[1], args[2], args[3])
	case "copy": // ADDRESS go|kernel up|down BYTES
		n, err := strconv.ParseInt(args[4], 10, 64)
		if err != nil {
			return err
		}
		return plainCopy(args[1], args[2], netkit.Direction(args[3]), n)
	case "handshake": // ADDRESS CA
		return handshake(args[1], args[2])
	}
	return fmt.Errorf("there is no command %q", args[0])
}
