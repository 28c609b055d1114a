package main

import (
	"crypto/sha256"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"sstp/src/integration/netkit"
	"sstp/src/lab"
)

const (
	serverOuter = "10.77.0.1"
	clientOuter = "10.77.0.2"
	target      = "10.88.0.1" // an address of the server's namespace behind SecureNAT
	gateway     = "192.168.30.1"
)

// quiet is a configuration with which SoftEther opens one port and calls nobody.
const quiet = `declare root
{
	declare DDnsClient
	{
		bool Disabled true
	}
	declare IPsec
	{
		bool L2TP_IPsec false
		bool L2TP_Raw false
		bool EtherIP_IPsec false
	}
	declare ListenerList
	{
		declare Listener0
		{
			bool DisableDos true
			bool Enabled true
			uint Port 443
		}
	}
	declare ServerConfiguration
	{
		bool DisableNatTraversal true
		bool DisableDosProtection true
		bool DisableGetHostNameWhenAcceptTcp true
		bool DisableJsonRpcWebApi true
		bool EnableVpnAzure false
		bool EnableVpnOverDns false
		bool EnableVpnOverIcmp false
		bool UseKeepConnect false
		bool NoHighPriorityProcess true
		bool DontBackupConfig true
		string PortsUDP $
	}
}
`

// setUp makes a hub with address translation, and a user for each kind of login.
const setUp = `HubCreate DEFAULT /PASSWORD:hubpassword
Hub DEFAULT
UserCreate demo /GROUP:none /REALNAME:none /NOTE:none
UserPasswordSet demo /PASSWORD:secret
UserCreate tlsuser /GROUP:none /REALNAME:none /NOTE:none
UserCertSet tlsuser /LOADCERT:client.pem
ExtOptionSet DisableKernelModeSecureNAT /VALUE:1
ExtOptionSet DisableIpRawModeSecureNAT /VALUE:1
SecureNatEnable
Hub
ServerCertSet /LOADCERT:server.pem /LOADKEY:server.key
`

// softEther is SoftEther in one namespace and the client in another.
type softEther struct {
	net            *netkit.Net
	client, server *netkit.Namespace
	folder         string // SoftEther's, and the certificates
	vpnserver      *netkit.Process
	certificate    *lab.Certificate
	sstp           string
}

func trySoftEther(t *table, programs string) error {
	r := &softEther{}
	var err error
	if r.net, err = netkit.New("interop"); err != nil {
		return err
	}
	defer r.net.Close()
	if err := r.prepare(programs); err != nil {
		return err
	}
	for _, m := range []struct{ method, user string }{{"mschapv2", "demo"}, {"eap-mschapv2", "demo"}, {"eap-tls", "tlsuser"}, {"pap", "demo"}} {
		t.row(m.method+": log in, ping", func() (string, error) { return r.logIn(m.method, m.user) })
	}
	t.row("TCP, 1 GiB up and 1 GiB down, checksums", r.bulk)
	t.row("wrong password", func() (string, error) { return r.refused("AUTH_FAILED", "password=wrong") })
	t.row("untrusted certificate", func() (string, error) { return r.refused("CERT_UNTRUSTED", "ca_cert=") })
	t.row("wrong name", func() (string, error) { return r.refused("CERT_NAME_MISMATCH", "server_name=other.test") })
	t.row("pinned certificate, no CA", r.pinned)
	t.row("another pin", func() (string, error) {
		return r.refused("CERT_PIN_MISMATCH", "verify=pin", "cert_pin=sha256:"+strings.Repeat("00", 32))
	})
	t.row("SHA-256 crypto binding, status by probe", r.probe)
	t.row("server killed and restarted", r.restart)
	return nil
}

func (r *softEther) prepare(programs string) error {
	var err error
	if r.sstp, err = filepath.Abs("build/sstp"); err != nil {
		return err
	}
	if r.client, err = r.net.Namespace("client"); err != nil {
		return err
	}
	if r.server, err = r.net.Namespace("server"); err != nil {
		return err
	}
	if err := netkit.Join(netkit.End{In: r.client, Device: "wan", Addresses: []string{clientOuter + "/24"}},
		netkit.End{In: r.server, Device: "wan", Addresses: []string{serverOuter + "/24"}}); err != nil {
		return err
	}
	if _, err := r.server.Run("ip", "addr", "add", target+"/32", "dev", "lo"); err != nil {
		return err
	}
	if err := r.files(programs); err != nil {
		return err
	}
	if err := r.start(); err != nil {
		return err
	}
	commands := filepath.Join(r.folder, "commands")
	if err := os.WriteFile(commands, []byte(setUp), 0o600); err != nil {
		return err
	}
	vpncmd, err := r.server.Start("env", "-C", r.folder, filepath.Join(r.folder, "vpncmd"), "localhost:443", "/SERVER", "/IN:commands")
	if err != nil {
		return err
	}
	if _, err := vpncmd.Wait(30 * time.Second); err != nil {
		return err
	}
	if done := strings.Count(vpncmd.Output(), "completed successfully"); done != strings.Count(setUp, "\n") {
		return fmt.Errorf("SoftEther took %d of %d commands:\n%s", done, strings.Count(setUp, "\n"), vpncmd.Output())
	}
	return r.server.ServeTransfers(target + ":5000")
}

// files makes SoftEther's folder, which is also where it looks for everything, and the certificates.
func (r *softEther) files(programs string) error {
	programs, err := filepath.Abs(programs)
	if err != nil {
		return err
	}
	config, err := r.net.File("softether/vpn_server.config", quiet)
	if err != nil {
		return err
	}
	r.folder = filepath.Dir(config)
	entries, err := os.ReadDir(programs)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if ext := filepath.Ext(e.Name()); !e.IsDir() && (ext == "" || ext == ".so" || ext == ".se2") {
			if err := os.Symlink(filepath.Join(programs, e.Name()), filepath.Join(r.folder, e.Name())); err != nil {
				return err
			}
		}
	}
	ca, err := lab.NewAuthority("Interop CA")
	if err != nil {
		return err
	}
	r.certificate, err = lab.NewCertificate(lab.CertificateOptions{Names: []string{"vpn.test"}, Authority: ca, RSA: true})
	if err != nil {
		return err
	}
	client, err := lab.NewCertificate(lab.CertificateOptions{CommonName: "tlsuser", Names: []string{"tlsuser"}, Authority: ca, RSA: true, Client: true})
	if err != nil {
		return err
	}
	for name, c := range map[string]*lab.Certificate{"server": r.certificate, "client": client} {
		key, err := c.KeyPEM()
		if err != nil {
			return err
		}
		for ext, content := range map[string][]byte{".pem": c.CertificatePEM(), ".key": key} {
			if err := os.WriteFile(filepath.Join(r.folder, name+ext), content, 0o600); err != nil {
				return err
			}
		}
	}
	return os.WriteFile(filepath.Join(r.folder, "ca.pem"), r.certificate.RootPEM(), 0o600)
}

func (r *softEther) start() error {
	var err error
	if r.vpnserver, err = r.server.Start("env", "-C", r.folder, filepath.Join(r.folder, "vpnserver"), "start", "--foreground"); err != nil {
		return err
	}
	err = netkit.Eventually(20*time.Second, func() error {
		return r.client.Do(func() error {
			c, err := net.DialTimeout("tcp", serverOuter+":443", time.Second)
			if err == nil {
				c.Close()
			}
			return err
		})
	})
	if err != nil {
		return fmt.Errorf("SoftEther does not listen: %w\n%s", err, r.vpnserver.Output())
	}
	return nil
}

// up starts the client; options replace or, when empty, remove the usual ones.
func (r *softEther) up(options ...string) (*netkit.Process, error) {
	dir, err := r.config(options...)
	if err != nil {
		return nil, err
	}
	return r.client.Start(r.sstp, "up", "vpn", "--config", dir)
}

func (r *softEther) config(options ...string) (string, error) {
	return r.net.Config("config", append([]string{
		"server=" + net.JoinHostPort(serverOuter, "443"), "ca_cert=" + filepath.Join(r.folder, "ca.pem"),
	}, options...)...)
}

// connected runs a scenario while a tunnel is up, and checks that it ends in good order.
func (r *softEther) connected(scenario func(*netkit.Process) (string, error), options ...string) (string, error) {
	begin := time.Now()
	p, err := r.up(options...)
	if err != nil {
		return "", err
	}
	defer p.End()
	if _, err := p.WaitFor(netkit.UpText, 0, 20*time.Second); err != nil {
		return "", err
	}
	took := time.Since(begin)
	finding, err := scenario(p)
	if err != nil {
		return "", fmt.Errorf("%w\n%s", err, p.Output())
	}
	return fmt.Sprintf("up after %.1f s; %s", took.Seconds(), finding), endInOrder(p)
}

func (r *softEther) logIn(method, user string) (string, error) {
	options := []string{"auth=" + method, "username=" + user}
	if method == "eap-tls" {
		options = append(options, "cert="+filepath.Join(r.folder, "client.pem"), "key="+filepath.Join(r.folder, "client.key"))
	}
	return r.connected(r.ping, options...)
}

func (r *softEther) ping(*netkit.Process) (string, error) {
	out, err := r.client.Run("ping", "-c", "5", "-i", "0.1", "-W", "2", gateway)
	if err != nil {
		return "", err
	}
	for _, line := range strings.Split(out, "\n") {
		if strings.HasPrefix(line, "rtt") {
			return "ping " + strings.TrimPrefix(line, "rtt "), nil
		}
	}
	return "ping answered", nil
}

// transferSize is how much is moved each way: enough for counters, windows and buffers to wrap.
const transferSize = 1 << 30

func (r *softEther) bulk() (string, error) {
	return r.connected(func(*netkit.Process) (string, error) {
		if _, err := r.client.Run("ip", "route", "add", target+"/32", "dev", "sstp-vpn"); err != nil {
			return "", err
		}
		var speeds []string
		for _, d := range netkit.Directions {
			took, err := r.client.Transfer(target+":5000", d, transferSize, time.Hour)
			if err != nil {
				return "", err
			}
			speeds = append(speeds, fmt.Sprintf("%s %.0f Mbit/s", d, transferSize*8/took.Seconds()/1e6))
		}
		return strings.Join(speeds, ", "), nil
	})
}

// refused checks that the client ends in a code, says what to do, and leaves in good order.
func (r *softEther) refused(code string, options ...string) (string, error) {
	p, err := r.up(options...)
	if err != nil {
		return "", err
	}
	defer p.End()
	n, err := p.WaitFor(code+": ", 0, 20*time.Second)
	if err != nil {
		return "", err
	}
	if _, err := p.WaitFor("hint: ", n, time.Second); err != nil {
		return "", err
	}
	message, _, _ := strings.Cut(p.Output()[n:], "\n")
	return code + ": " + message, endInOrder(p)
}

func (r *softEther) pinned() (string, error) {
	return r.connected(r.ping, "ca_cert=", "verify=pin", fmt.Sprintf("cert_pin=sha256:%x", sha256.Sum256(r.certificate.TLS.Certificate[0])))
}

func (r *softEther) probe() (string, error) {
	dir, err := r.config()
	if err != nil {
		return "", err
	}
	out, err := r.client.Run(r.sstp, "probe", "vpn", "--config", dir)
	if err != nil {
		return "", err
	}
	if !strings.Contains(out, "crypto binding with SHA256") && !strings.Contains(out, "crypto binding with SHA-256") {
		return "", fmt.Errorf("no SHA-256 in:\n%s", out)
	}
	return "all stages passed", nil
}

// restart kills the server, starts it again at once, and measures the longest silence of a ping.
func (r *softEther) restart() (string, error) {
	return r.connected(func(p *netkit.Process) (string, error) {
		n := len(p.Output())
		r.vpnserver.Signal(syscall.SIGTERM) // it saves its configuration; the next one does not, and is killed
		r.vpnserver.Wait(10 * time.Second)
		if err := r.start(); err != nil {
			return "", err
		}
		if _, err := p.WaitFor(netkit.UpText, n, 30*time.Second); err != nil {
			return "", err
		}
		begin := time.Now()
		n = len(p.Output())
		r.vpnserver.Signal(syscall.SIGKILL)
		r.vpnserver.Wait(10 * time.Second)
		if err := r.start(); err != nil {
			return "", err
		}
		if _, err := p.WaitFor(netkit.UpText, n, 30*time.Second); err != nil {
			return "", err
		}
		gap := time.Since(begin)
		finding, err := r.ping(p)
		return fmt.Sprintf("up again %.1f s after kill -9; %s", gap.Seconds(), finding), err
	})
}
