package main

import (
	"crypto/ecdh"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"sstp/src/integration"
	"sstp/src/lab"
)

// tunnel is a tunnel that stands: traffic to far goes through it, traffic to the cable past it.
type tunnel struct {
	client, server *integration.Space
	far            string
	program        *integration.Process // the client; nil: there is no tunnel
	peer           *integration.Process // the server
	helpers        []*integration.Process
}

// congestionControl is TCP's, for everybody and everything: what most kernels have by default.
const congestionControl = "cubic"

// Addresses on the cable. Each tunnel has a cable of its own.
const serverOuter, clientOuter = "192.0.2.1", "192.0.2.2"

const patience = 10 * time.Second

// cable lays a cable between two new namespaces and starts the sink at its server's end.
func cable(bed *integration.Bed, name string) (*tunnel, error) {
	t := &tunnel{far: serverOuter}
	var err error
	if t.client, err = bed.Space(name + "-c"); err != nil {
		return nil, err
	}
	if t.server, err = bed.Space(name + "-s"); err != nil {
		return nil, err
	}
	if err := bed.Join(t.client, "wan", clientOuter+"/24", t.server, "wan", serverOuter+"/24"); err != nil {
		return nil, err
	}
	for s, own := range map[*integration.Space]string{t.client: clientOuter, t.server: serverOuter} {
		// By route, because a namespace may not have another default than the machine's.
		if _, err := s.Run("ip", "route", "replace", "192.0.2.0/24", "dev", "wan", "scope", "link", "src", own, "congctl", congestionControl); err != nil {
			return nil, err
		}
	}
	sink, err := t.server.Start("", "env", sinkVariable+"=1", self)
	if err != nil {
		return nil, err
	}
	t.helpers = append(t.helpers, sink)
	_, err = sink.WaitFor("serving", 0, patience)
	return t, err
}

// pids are all processes of the tunnel.
func (t *tunnel) pids() (list []int) {
	for _, p := range append([]*integration.Process{t.program, t.peer}, t.helpers...) {
		if p != nil {
			list = append(list, p.Pid())
		}
	}
	return list
}

// sstpOptions is what differs between our tunnels.
type sstpOptions struct {
	lab     []string   // options of sstp-lab
	options []string   // lines of the interface's section, as "offload '0'"
	line    *lab.Shape // before the server; nil: the cable alone
}

// sstpTunnel lays a cable with a lab server and a client.
func sstpTunnel(bed *integration.Bed, name string, o sstpOptions) (*tunnel, error) {
	t, err := cable(bed, name)
	if err != nil {
		return nil, err
	}
	if err := t.serveSSTP(bed, name, o); err != nil {
		return nil, err
	}
	return t, t.upSSTP(bed, name)
}

// serveSSTP starts the lab server and writes the configuration of a client.
func (t *tunnel) serveSSTP(bed *integration.Bed, name string, o sstpOptions) error {
	ca := filepath.Join(bed.Dir, name+".pem")
	var err error
	t.peer, err = t.server.Start("", append([]string{filepath.Join(build, "sstp-lab"), "--listen", serverOuter + ":443", "--tun", "lab0",
		"--user", "demo:secret", "--write-ca", ca}, o.lab...)...)
	if err != nil {
		return err
	}
	if _, err := t.peer.WaitFor("listening", 0, patience); err != nil {
		return err
	}
	port := "443"
	if o.line != nil {
		if err := t.relay(*o.line, port); err != nil {
			return err
		}
		port = relayPort
	}
	text := "config interface 'vpn'\n\toption proto 'sstp'\n\toption server '" + serverOuter + ":" + port + "'\n\toption server_name 'vpn.test'\n" +
		"\toption ca_cert '" + ca + "'\n\toption username 'demo'\n\toption password 'secret'\n\toption defaultroute '0'\n"
	for _, line := range o.options {
		text += "\toption " + line + "\n"
	}
	_, err = bed.File(name+"/network", text)
	return err
}

// sstpByKernel is a tunnel whose client insists on the kernel's TLS. Its error is the kernel's reason.
func sstpByKernel(bed *integration.Bed, name string) (*tunnel, error) {
	t, err := sstpTunnel(bed, name, sstpOptions{options: []string{"ktls '1'"}})
	if err != nil {
		return nil, err
	}
	_, reason, byGo := strings.Cut(t.program.Output(), "encrypted by Go: ")
	if !byGo {
		return t, nil
	}
	t.program.End()
	t.peer.End()
	reason, _, _ = strings.Cut(reason, "\n")
	return nil, errors.New(reason)
}

// upSSTP starts the client and waits until it is up.
func (t *tunnel) upSSTP(bed *integration.Bed, name string) error {
	var err error
	t.far = "10.99.0.1"
	if t.program, err = t.client.Start("", sstpCommand(bed, name)...); err != nil {
		return err
	}
	_, err = t.program.WaitFor(upText, 0, patience)
	return err
}

// upText stands in the line in which the client says that it is up, and in no other.
const upText = " on sstp-vpn, MTU "

func sstpCommand(bed *integration.Bed, name string) []string {
	return []string{filepath.Join(build, "sstp"), "up", "vpn", "--config", filepath.Join(bed.Dir, name)}
}

// relayPort is where a relay stands before a server.
const relayPort = "444"

// relay puts a slow line before a port of the server.
func (t *tunnel) relay(line lab.Shape, port string) error {
	text, err := json.Marshal(relayJob{line, net.JoinHostPort(serverOuter, relayPort), net.JoinHostPort(serverOuter, port)})
	if err != nil {
		return err
	}
	p, err := t.server.Start("", "env", relayVariable+"="+string(text), self)
	if err != nil {
		return err
	}
	t.helpers = append(t.helpers, p)
	_, err = p.WaitFor("serving", 0, patience)
	return err
}

// missing says which of the programs are not installed.
func missing(programs ...string) error {
	for _, p := range programs {
		if _, err := exec.LookPath(p); err != nil {
			return fmt.Errorf("%s is not installed", p)
		}
	}
	return nil
}

// inUserSpace makes a WireGuard device by wireguard-go.
func inUserSpace(s *integration.Space, device string) (*integration.Process, error) {
	if err := missing("wireguard-go"); err != nil {
		return nil, err
	}
	return s.Start("", "env", "LOG_LEVEL=error", "wireguard-go", "-f", device)
}

// wireGuard lays a cable with WireGuard devices at both ends, made by the given function.
func wireGuard(bed *integration.Bed, name string, device func(s *integration.Space, name string) (*integration.Process, error)) (*tunnel, error) {
	if err := missing("wg"); err != nil {
		return nil, err
	}
	t, err := cable(bed, name)
	if err != nil {
		return nil, err
	}
	var secret, public [2]string
	for i := range secret {
		k, err := ecdh.X25519().GenerateKey(rand.Reader)
		if err != nil {
			return nil, err
		}
		public[i] = base64.StdEncoding.EncodeToString(k.PublicKey().Bytes())
		if secret[i], err = bed.File(fmt.Sprintf("%s/key%d", name, i), base64.StdEncoding.EncodeToString(k.Bytes())+"\n"); err != nil {
			return nil, err
		}
	}
	t.far = "10.98.0.1"
	for i, s := range []*integration.Space{t.server, t.client} {
		dev := fmt.Sprintf("%s%d-%d", name, os.Getpid(), i) // the sockets of all namespaces stand in one folder
		p, err := device(s, dev)
		if err != nil {
			return nil, err
		}
		if err := eventually(func() error { _, err := s.Run("sh", "-c", "ip link show "+dev+" && wg show "+dev); return err }); err != nil {
			if p != nil {
				err = fmt.Errorf("%w\n%s", err, p.Output())
			}
			return nil, err
		}
		set := []string{"wg", "set", dev, "listen-port", "51820", "private-key", secret[i], "peer", public[1-i], "allowed-ips", "0.0.0.0/0"}
		if i == 1 {
			set = append(set, "endpoint", serverOuter+":51820")
			t.program = p
		} else {
			t.peer = p
		}
		for _, c := range [][]string{set, {"ip", "addr", "add", fmt.Sprintf("10.98.0.%d/24", i+1), "dev", dev}, {"ip", "link", "set", dev, "up"}} {
			if _, err := s.Run(c...); err != nil {
				return nil, err
			}
		}
	}
	return t, t.answers()
}

// openVPN lays a cable with OpenVPN at both ends, TLS and AES-256-GCM, all in user space. It runs over UDP; or over TCP
// through the given line.
func openVPN(bed *integration.Bed, name string, line *lab.Shape) (*tunnel, error) {
	if err := missing("openvpn"); err != nil {
		return nil, err
	}
	t, err := cable(bed, name)
	if err != nil {
		return nil, err
	}
	server, err := lab.NewCertificate(lab.CertificateOptions{})
	if err != nil {
		return nil, err
	}
	client, err := lab.NewCertificate(lab.CertificateOptions{CommonName: "client", Names: []string{}, Client: true, Authority: server.Authority})
	if err != nil {
		return nil, err
	}
	ca, err := bed.File(name+"/ca.pem", string(server.RootPEM()))
	if err != nil {
		return nil, err
	}
	t.far = "10.97.0.1"
	for i, c := range []*lab.Certificate{server, client} {
		cert, err := bed.File(fmt.Sprintf("%s/cert%d.pem", name, i), string(c.CertificatePEM()))
		if err != nil {
			return nil, err
		}
		key, err := c.KeyPEM()
		if err != nil {
			return nil, err
		}
		keyFile, err := bed.File(fmt.Sprintf("%s/key%d.pem", name, i), string(key))
		if err != nil {
			return nil, err
		}
		args := []string{"openvpn", "--dev", "vpn0", "--dev-type", "tun", "--ca", ca, "--cert", cert, "--key", keyFile,
			"--data-ciphers", "AES-256-GCM", "--cipher", "AES-256-GCM", "--verb", "3"}
		if openVPNKnows("disable-dco") {
			args = append(args, "--disable-dco")
		}
		s := t.server
		if i == 0 {
			args = append(args, "--tls-server", "--dh", "none", "--local", serverOuter, "--ifconfig", "10.97.0.1", "10.97.0.2")
		} else {
			s = t.client
			args = append(args, "--tls-client", "--remote", serverOuter, "--nobind", "--ifconfig", "10.97.0.2", "10.97.0.1")
		}
		switch {
		case line == nil:
			args = append(args, "--proto", "udp", "--port", openVPNPort)
		case i == 0:
			args = append(args, "--proto", "tcp-server", "--port", openVPNPort)
		default:
			if err := t.relay(*line, openVPNPort); err != nil {
				return nil, err
			}
			args = append(args, "--proto", "tcp-client", "--port", relayPort)
		}
		p, err := s.Start("", args...)
		if err != nil {
			return nil, err
		}
		if t.peer == nil {
			t.peer = p
		} else {
			t.program = p
		}
	}
	if _, err := t.program.WaitFor("Initialization Sequence Completed", 0, 2*patience); err != nil {
		return nil, err
	}
	return t, t.answers()
}

const openVPNPort = "1194"

func openVPNKnows(option string) bool {
	help, _ := exec.Command("openvpn", "--help").CombinedOutput()
	return strings.Contains(string(help), "--"+option)
}

// answers waits until the far end of the tunnel answers a ping.
func (t *tunnel) answers() error {
	return eventually(func() error {
		r, err := do(t.client, job{Far: t.far, Window: 100 * time.Millisecond, Every: 10 * time.Millisecond})
		if err == nil && len(r.Pings) == 0 {
			err = fmt.Errorf("%s does not answer", t.far)
		}
		return err
	})
}

func eventually(f func() error) error {
	limit := time.Now().Add(patience)
	for {
		err := f()
		if err == nil || time.Now().After(limit) {
			return err
		}
		time.Sleep(50 * time.Millisecond)
	}
}
