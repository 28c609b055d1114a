package main

import (
	"fmt"
	"os"
	"strings"
	"syscall"
	"time"

	"sstp/src/integration"
)

// anyServer tries what can be tried with a server of which nothing but a user is known: each method, a ping to the
// server's inner address, the certificate's check, the probe. It uses the machine's own network, without the default
// route, and never tries a wrong password, which could lock the account.
func anyServer(t *table) error {
	bed, err := integration.New("interop")
	if err != nil {
		return err
	}
	defer bed.Close()
	password, err := os.ReadFile(os.Getenv("PASSWORD_FILE"))
	if err != nil {
		return fmt.Errorf("PASSWORD_FILE: %w", err)
	}
	first, _, _ := strings.Cut(string(password), "\n")
	options := []string{"server=" + os.Getenv("HOST"), "username=" + os.Getenv("USER"), "password=" + first,
		"ca_cert=" + os.Getenv("CA_CERT"), "cert_pin=" + os.Getenv("PIN"), "defaultroute=0"}
	for _, method := range []string{"mschapv2", "eap-mschapv2", "chap", "pap"} {
		t.row(method+": log in, ping", func() (string, error) {
			return hostScenario(bed, append(options, "auth="+method))
		})
	}
	return nil
}

func hostScenario(bed *integration.Bed, options []string) (string, error) {
	dir, err := writeConfig(bed, options)
	if err != nil {
		return "", err
	}
	p, err := bed.Start("", "build/sstp", "up", "vpn", "--config", dir)
	if err != nil {
		return "", err
	}
	defer p.End()
	if _, err := p.WaitFor(" on sstp-vpn, MTU", 0, 30*time.Second); err != nil {
		return "", err
	}
	peer, err := bed.Run("ip", "-o", "-4", "addr", "show", "dev", "sstp-vpn")
	if err != nil {
		return "", err
	}
	finding := "up, no inner address of the server to ping"
	if fields := strings.Fields(peer); len(fields) > 5 && fields[4] == "peer" {
		if _, err := bed.Run("ping", "-c", "3", "-i", "0.2", "-W", "2", strings.TrimSuffix(fields[5], "/32")); err != nil {
			return "", err
		}
		finding = "up, ping answered"
	}
	p.Signal(syscall.SIGTERM)
	if code, err := p.Wait(4 * time.Second); err != nil || code != 0 {
		return "", fmt.Errorf("exit code %d after SIGTERM: %v", code, err)
	}
	return finding, nil
}
