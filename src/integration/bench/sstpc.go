package main

import (
	"fmt"
	"path/filepath"

	"sstp/src/integration"
)

// sstpcTunnel lays a cable with a lab server and the client that sstp takes the place of: sstpc, which starts pppd.
func sstpcTunnel(bed *integration.Bed, name string) (*tunnel, error) {
	if err := missing("sstpc", "pppd"); err != nil {
		return nil, err
	}
	t, err := cable(bed, name)
	if err != nil {
		return nil, err
	}
	if err := t.serveSSTP(bed, name, sstpOptions{}); err != nil {
		return nil, err
	}
	t.far = "10.99.0.1"
	for range 3 { // now and then it gives up right behind the TLS handshake
		t.program, err = t.client.Start("", "sstpc", "--log-stderr", "--log-level", "3", "--cert-warn", "--ca-cert", filepath.Join(bed.Dir, name+".pem"),
			"--user", "demo", "--password", "secret", serverOuter,
			"noauth", "nodefaultroute", "noipdefault", "noccp", "mtu", "1400", "mru", "1400", "nodetach")
		if err != nil {
			return nil, err
		}
		if err = t.answers(); err == nil {
			return t, nil
		}
		t.program.End()
		err = fmt.Errorf("%w\n%s", err, t.program.Output())
	}
	return nil, err
}
