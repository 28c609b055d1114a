package main

import (
	"crypto/ecdh"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"sstp/src/integration/netkit"
	"sstp/src/lab"
)

// tunnel is a tunnel that is up, on a cable between two namespaces of its own. Traffic to far goes through it.
type tunnel struct {
	name           string
	net            *netkit.Net
	client, server *netkit.Namespace
	far            string
	program        *netkit.Process // the client; nil: there is none, or it is the kernel
	peer           *netkit.Process // the server
	helpers        []*netkit.Process
}

// congestionControl is TCP's, on all connections: the default of most kernels.
const congestionControl = "cubic"

// The addresses on each cable, the port of a relay before a server, and the server's address in a tunnel of sstp-lab.
const (
	serverOuter, clientOuter = "192.0.2.1", "192.0.2.2"
	relayPort                = "444"
	labInner                 = "10.99.0.1"
)

const patience = 10 * time.Second

// newCable lays a cable between two new namespaces and starts the sink at its server's end.
func newCable(n *netkit.Net, name string) (*tunnel, error) {
	t := &tunnel{name: name, net: n, far: serverOuter}
	var err error
	if t.client, err = n.Namespace(name + "-c"); err != nil {
		return nil, err
	}
	if t.server, err = n.Namespace(name + "-s"); err != nil {
		return nil, err
	}
	if err := netkit.Join(netkit.End{In: t.client, Device: "wan", Addresses: []string{clientOuter + "/24"}},
		netkit.End{In: t.server, Device: "wan", Addresses: []string{serverOuter + "/24"}}); err != nil {
		return nil, err
	}
	for s, own := range map[*netkit.Namespace]string{t.client: clientOuter, t.server: serverOuter} {
		// By route, because a namespace may not have another default than the machine's.
		if _, err := s.Run("ip", "route", "replace", "192.0.2.0/24", "dev", "wan", "scope", "link", "src", own, "congctl", congestionControl); err != nil {
			return nil, err
		}
	}
	return t, t.help("sink", struct{}{})
}

// help starts a worker at the server's end.
func (t *tunnel) help(name string, task any) error {
	p, err := startWorker(t.server, name, task)
	if err == nil {
		t.helpers = append(t.helpers, p)
	}
	return err
}

// relay puts a slow line before a port of the server.
func (t *tunnel) relay(line lab.Shape, port string) error {
	return t.help("relay", relayTask{line, net.JoinHostPort(serverOuter, relayPort), net.JoinHostPort(serverOuter, port)})
}

// pids returns all processes of the tunnel.
func (t *tunnel) pids() (list []int) {
	for _, p := range append([]*netkit.Process{t.program, t.peer}, t.helpers...) {
		if p != nil {
			list = append(list, p.Pid())
		}
	}
	return list
}

// answers waits until the far end of the tunnel answers a ping.
func (t *tunnel) answers() error {
	far, err := netip.ParseAddr(t.far)
	if err != nil {
		return err
	}
	return netkit.Eventually(patience, func() error {
		p, err := t.client.Ping(far, 10*time.Millisecond)
		if err != nil {
			return err
		}
		time.Sleep(100 * time.Millisecond)
		p.Stop()
		if len(p.RoundTrips()) == 0 {
			return fmt.Errorf("%s does not answer", t.far)
		}
		return nil
	})
}

// sstpOptions are the differences between our tunnels.
type sstpOptions struct {
	lab     []string   // options of sstp-lab
	options []string   // of the client, as "offload=0"
	line    *lab.Shape // before the server; nil: the cable alone
}

// sstpTunnel makes a tunnel between sstp-lab and the client.
func sstpTunnel(n *netkit.Net, name string, o sstpOptions) (*tunnel, error) {
	t, err := newCable(n, name)
	if err != nil {
		return nil, err
	}
	command, err := t.serveSSTP(o)
	if err != nil {
		return nil, err
	}
	t.program, err = t.client.StartAnd(netkit.UpText, patience, command...)
	return t, err
}

// serveSSTP starts sstp-lab and returns the command line of a client.
func (t *tunnel) serveSSTP(o sstpOptions) (client []string, err error) {
	if t.peer, err = t.server.StartLab(filepath.Join(build, "sstp-lab"), append([]string{"--listen", serverOuter + ":443"}, o.lab...)...); err != nil {
		return nil, err
	}
	t.far = labInner
	port := "443"
	if o.line != nil {
		if err := t.relay(*o.line, port); err != nil {
			return nil, err
		}
		port = relayPort
	}
	dir, err := t.net.Config(t.name, append([]string{"server=" + serverOuter + ":" + port, "ca_cert=" + t.server.CA()}, o.options...)...)
	return []string{filepath.Join(build, "sstp"), "up", "vpn", "--config", dir}, err
}

// sstpByKernel makes a tunnel whose client insists on the kernel's TLS. Its error is the kernel's reason.
func sstpByKernel(n *netkit.Net, name string) (*tunnel, error) {
	t, err := sstpTunnel(n, name, sstpOptions{options: []string{"ktls=1"}})
	if err != nil {
		return nil, err
	}
	_, reason, byGo := strings.Cut(t.program.Output(), netkit.EncryptedByGo+": ")
	if !byGo {
		return t, nil
	}
	t.program.End()
	t.peer.End()
	reason, _, _ = strings.Cut(reason, "\n")
	return nil, errors.New(reason)
}

// sstpcTunnel makes a tunnel between sstp-lab and the client that sstp replaces: sstpc, which starts pppd.
func sstpcTunnel(n *netkit.Net, name string) (*tunnel, error) {
	if err := netkit.Missing("sstpc", "pppd"); err != nil {
		return nil, err
	}
	t, err := newCable(n, name)
	if err != nil {
		return nil, err
	}
	if _, err := t.serveSSTP(sstpOptions{}); err != nil {
		return nil, err
	}
	for range 3 { // now and then it gives up right after the TLS handshake
		t.program, err = t.client.Start("sstpc", "--log-stderr", "--log-level", "3", "--cert-warn", "--ca-cert", t.server.CA(),
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

// inUserSpace makes a WireGuard device by wireguard-go.
func inUserSpace(s *netkit.Namespace, device string) (*netkit.Process, error) {
	if err := netkit.Missing("wireguard-go"); err != nil {
		return nil, err
	}
	return s.Start("env", "LOG_LEVEL=error", "wireguard-go", "-f", device)
}

// inKernel makes a WireGuard device of the kernel's.
func inKernel(s *netkit.Namespace, device string) (*netkit.Process, error) {
	_, err := s.Run("ip", "link", "add", device, "type", "wireguard")
	return nil, err
}

// wireGuard makes a tunnel between two WireGuard devices, each made by the given function.
func wireGuard(n *netkit.Net, name string, device func(s *netkit.Namespace, name string) (*netkit.Process, error)) (*tunnel, error) {
	if err := netkit.Missing("wg"); err != nil {
		return nil, err
	}
	t, err := newCable(n, name)
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
		if secret[i], err = n.File(fmt.Sprintf("%s/key%d", name, i), base64.StdEncoding.EncodeToString(k.Bytes())+"\n"); err != nil {
			return nil, err
		}
	}
	t.far = "10.98.0.1"
	for i, s := range []*netkit.Namespace{t.server, t.client} {
		dev := fmt.Sprintf("%s%d-%d", name, os.Getpid(), i) // wireguard-go's sockets of all namespaces are in one folder
		p, err := device(s, dev)
		if err != nil {
			return nil, err
		}
		if err := netkit.Eventually(patience, func() error { _, err := s.Run("sh", "-c", "ip link show "+dev+" && wg show "+dev); return err }); err != nil {
			if p != nil {
				err = fmt.Errorf("%w\n%s", err, p.Output())
			}
			return nil, err
		}
		set := []string{"wg", "set", dev, "listen-port", "51820", "private-key", secret[i], "peer", public[1-i], "allowed-ips", "0.0.0.0/0"}
		if i == 1 {
			set = append(set, "endpoint", serverOuter+":51820")
		}
		t.peer, t.program = t.program, p
		for _, c := range [][]string{set, {"ip", "addr", "add", fmt.Sprintf("10.98.0.%d/24", i+1), "dev", dev}, {"ip", "link", "set", dev, "up"}} {
			if _, err := s.Run(c...); err != nil {
				return nil, err
			}
		}
	}
	return t, t.answers()
}

const openVPNPort = "1194"

// openVPN makes a tunnel of OpenVPN with TLS and AES-256-GCM, all in user space: over UDP, or over TCP through the given line.
func openVPN(n *netkit.Net, name string, line *lab.Shape) (*tunnel, error) {
	if err := netkit.Missing("openvpn"); err != nil {
		return nil, err
	}
	t, err := newCable(n, name)
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
	ca, err := n.File(name+"/ca.pem", string(server.RootPEM()))
	if err != nil {
		return nil, err
	}
	common := []string{"openvpn", "--dev", "vpn0", "--dev-type", "tun", "--ca", ca, "--data-ciphers", "AES-256-GCM", "--cipher", "AES-256-GCM", "--verb", "3"}
	if help, _ := exec.Command("openvpn", "--help").CombinedOutput(); strings.Contains(string(help), "--disable-dco") {
		common = append(common, "--disable-dco")
	}
	t.far = "10.97.0.1"
	ends := []struct {
		in          *netkit.Namespace
		certificate *lab.Certificate
		args        []string
		protocol    string // over TCP
		port        string
	}{
		{t.server, server, []string{"--tls-server", "--dh", "none", "--local", serverOuter, "--ifconfig", "10.97.0.1", "10.97.0.2"}, "tcp-server", openVPNPort},
		{t.client, client, []string{"--tls-client", "--remote", serverOuter, "--nobind", "--ifconfig", "10.97.0.2", "10.97.0.1"}, "tcp-client", relayPort},
	}
	if line != nil {
		if err := t.relay(*line, openVPNPort); err != nil {
			return nil, err
		}
	}
	for i, e := range ends {
		if line == nil {
			e.protocol, e.port = "udp", openVPNPort
		}
		key, err := e.certificate.KeyPEM()
		if err != nil {
			return nil, err
		}
		keyFile, err := n.File(fmt.Sprintf("%s/key%d.pem", name, i), string(key))
		if err != nil {
			return nil, err
		}
		certFile, err := n.File(fmt.Sprintf("%s/cert%d.pem", name, i), string(e.certificate.CertificatePEM()))
		if err != nil {
			return nil, err
		}
		args := append(append(common[:len(common):len(common)], e.args...), "--cert", certFile, "--key", keyFile, "--proto", e.protocol, "--port", e.port)
		p, err := e.in.Start(args...)
		if err != nil {
			return nil, err
		}
		t.peer, t.program = t.program, p
	}
	if _, err := t.program.WaitFor("Initialization Sequence Completed", 0, 2*patience); err != nil {
		return nil, err
	}
	return t, t.answers()
}
