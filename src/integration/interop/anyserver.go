package main

import (
	"fmt"
	"os"
	"strings"
	"syscall"
	"time"

	"sstp/src/integration/netkit"
)

// anyServer tries what can be tried with a server of which only a user is known: each method, a ping to the server's inner
// address, the check of the certificate. It works in the machine's own network without the default route, and never tries a
// wrong password, which could lock the account.
func anyServer(t *table) error {
	net, err := netkit.New("interop")
	if err != nil {
		return err
	}
	defer net.Close()
	password, err := os.ReadFile(os.Getenv("PASSWORD_FILE"))
	if err != nil {
		return fmt.Errorf("PASSWORD_FILE: %w", err)
	}
	first, _, _ := strings.Cut(string(password), "\n")
	options := []string{"server=" + os.Getenv("HOST"), "server_name=", "username=" + os.Getenv("USER"), "password=" + first,
		"ca_cert=" + os.Getenv("CA_CERT"), "cert_pin=" + os.Getenv("PIN")}
	for _, method := range []string{"mschapv2", "eap-mschapv2", "chap", "pap"} {
		t.row(method+": log in, ping", func() (string, error) { return logInAndPing(net, append(options, "auth="+method)) })
	}
	return nil
}

func logInAndPing(net *netkit.Net, options []string) (string, error) {
	dir, err := net.Config("config", options...)
	if err != nil {
		return "", err
	}
	p, err := net.Here.StartAnd(netkit.UpText, 30*time.Second, "build/sstp", "up", "vpn", "--config", dir)
	if err != nil {
		return "", err
	}
	defer p.End()
	peer, err := net.Here.Run("ip", "-o", "-4", "addr", "show", "dev", "sstp-vpn")
	if err != nil {
		return "", err
	}
	finding := "up, no inner address of the server to ping"
	if fields := strings.Fields(peer); len(fields) > 5 && fields[4] == "peer" {
		if _, err := net.Here.Run("ping", "-c", "3", "-i", "0.2", "-W", "2", strings.TrimSuffix(fields[5], "/32")); err != nil {
			return "", err
		}
		finding = "up, ping answered"
	}
	return finding, endInOrder(p)
}

// endInOrder ends the client as netifd does, and wants exit code 0.
func endInOrder(p *netkit.Process) error {
	p.Signal(syscall.SIGTERM)
	if code, err := p.Wait(4 * time.Second); err != nil || code != 0 {
		return fmt.Errorf("exit code %d after SIGTERM: %v\n%s", code, err, p.Output())
	}
	return nil
}
