package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"sstp/src/integration"
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

// rig is SoftEther in one namespace and the client in another.
type rig struct {
	bed            *integration.Bed
	client, server *integration.Space
	folder         string // SoftEther's, and the certificates
	vpnserver      *integration.Process
	sstp           string
}

func softEther(t *table, programs string) error {
	r := &rig{}
	var err error
	if r.bed, err = integration.New("interop"); err != nil {
		return err
	}
	defer r.bed.Close()
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

func (r *rig) prepare(programs string) error {
	var err error
	if r.sstp, err = filepath.Abs("build/sstp"); err != nil {
		return err
	}
	if r.client, err = r.bed.Space("client"); err != nil {
		return err
	}
	if r.server, err = r.bed.Space("server"); err != nil {
		return err
	}
	if err := r.bed.Join(r.client, "wan", clientOuter+"/24", r.server, "wan", serverOuter+"/24"); err != nil {
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
	vpncmd, err := r.server.Start(r.folder, filepath.Join(r.folder, "vpncmd"), "localhost:443", "/SERVER", "/IN:commands")
	if err != nil {
		return err
	}
	if _, err := vpncmd.Wait(30 * time.Second); err != nil {
		return err
	}
	if done := strings.Count(vpncmd.Output(), "completed successfully"); done != strings.Count(setUp, "\n") {
		return fmt.Errorf("SoftEther took %d of %d commands:\n%s", done, strings.Count(setUp, "\n"), vpncmd.Output())
	}
	serve, err := r.server.Start("", "env", "SSTP_INTEROP_SERVE="+target+":5000", os.Args[0])
	if err != nil {
		return err
	}
	_, err = serve.WaitFor("serving", 0, 5*time.Second)
	return err
}

// files makes SoftEther's folder, which is also where it looks for everything, and the certificates.
func (r *rig) files(programs string) error {
	programs, err := filepath.Abs(programs)
	if err != nil {
		return err
	}
	config, err := r.bed.File("softether/vpn_server.config", quiet)
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
	server, err := lab.NewCertificate(lab.CertificateOptions{Names: []string{"vpn.test"}, Authority: ca, RSA: true})
	if err != nil {
		return err
	}
	client, err := lab.NewCertificate(lab.CertificateOptions{CommonName: "tlsuser", Names: []string{"tlsuser"}, Authority: ca, RSA: true, Client: true})
	if err != nil {
		return err
	}
	for name, c := range map[string]*lab.Certificate{"server": server, "client": client} {
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
	return os.WriteFile(filepath.Join(r.folder, "ca.pem"), server.RootPEM(), 0o600)
}

func (r *rig) start() error {
	var err error
	if r.vpnserver, err = r.server.Start(r.folder, filepath.Join(r.folder, "vpnserver"), "start", "--foreground"); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	for {
		if _, err := r.client.Run("timeout", "1", "bash", "-c", "exec 3<>/dev/tcp/"+serverOuter+"/443"); err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("SoftEther does not listen:\n%s", r.vpnserver.Output())
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// up starts the client; options replace or, when empty, remove the usual ones.
func (r *rig) up(options ...string) (*integration.Process, error) {
	dir, err := r.config(options...)
	if err != nil {
		return nil, err
	}
	return r.client.Start("", r.sstp, "up", "vpn", "--config", dir)
}

func (r *rig) config(options ...string) (string, error) {
	return writeConfig(r.bed, append([]string{
		"server=" + net.JoinHostPort(serverOuter, "443"), "server_name=vpn.test", "ca_cert=" + filepath.Join(r.folder, "ca.pem"),
		"username=demo", "password=secret", "defaultroute=0",
	}, options...))
}

// connected runs a scenario while a tunnel is up, and checks that it ends in good order.
func (r *rig) connected(scenario func(*integration.Process) (string, error), options ...string) (string, error) {
	p, err := r.up(options...)
	if err != nil {
		return "", err
	}
	defer p.End()
	begin := time.Now()
	if _, err := p.WaitFor(" on sstp-vpn, MTU", 0, 20*time.Second); err != nil {
		return "", err
	}
	took := time.Since(begin)
	finding, err := scenario(p)
	if err != nil {
		return "", fmt.Errorf("%w\n%s", err, p.Output())
	}
	p.Signal(syscall.SIGTERM)
	if code, err := p.Wait(4 * time.Second); err != nil || code != 0 {
		return "", fmt.Errorf("exit code %d after SIGTERM: %v\n%s", code, err, p.Output())
	}
	return fmt.Sprintf("up after %.1f s; %s", took.Seconds(), finding), nil
}

func (r *rig) logIn(method, user string) (string, error) {
	options := []string{"auth=" + method, "username=" + user}
	if method == "eap-tls" {
		options = append(options, "cert="+filepath.Join(r.folder, "client.pem"), "key="+filepath.Join(r.folder, "client.key"))
	}
	return r.connected(r.ping, options...)
}

func (r *rig) ping(*integration.Process) (string, error) {
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

func (r *rig) bulk() (string, error) {
	return r.connected(func(*integration.Process) (string, error) {
		if _, err := r.client.Run("ip", "route", "add", target+"/32", "dev", "sstp-vpn"); err != nil {
			return "", err
		}
		var speeds []string
		for _, direction := range []string{"up", "down"} {
			out, err := r.client.Run("env", "SSTP_INTEROP_TRANSFER="+target+":5000", "SSTP_INTEROP_DIRECTION="+direction, os.Args[0])
			if err != nil {
				return "", err
			}
			speeds = append(speeds, direction+" "+out)
		}
		return strings.Join(speeds, ", "), nil
	})
}

// refused checks that the client ends in a code, says what to do, and leaves in good order.
func (r *rig) refused(code string, options ...string) (string, error) {
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
	p.Signal(syscall.SIGTERM)
	if status, err := p.Wait(4 * time.Second); err != nil || status != 0 {
		return "", fmt.Errorf("exit code %d: %v", status, err)
	}
	message, _, _ := strings.Cut(p.Output()[n:], "\n")
	return code + ": " + message, nil
}

func (r *rig) pinned() (string, error) {
	pin, err := pinOf(filepath.Join(r.folder, "server.pem"))
	if err != nil {
		return "", err
	}
	return r.connected(r.ping, "ca_cert=", "verify=pin", "cert_pin="+pin)
}

func (r *rig) probe() (string, error) {
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
func (r *rig) restart() (string, error) {
	return r.connected(func(p *integration.Process) (string, error) {
		n := len(p.Output())
		r.vpnserver.Signal(syscall.SIGTERM) // it saves its configuration; the next one does not, and is killed
		r.vpnserver.Wait(10 * time.Second)
		if err := r.start(); err != nil {
			return "", err
		}
		if _, err := p.WaitFor(" on sstp-vpn, MTU", n, 30*time.Second); err != nil {
			return "", err
		}
		begin := time.Now()
		n = len(p.Output())
		r.vpnserver.Signal(syscall.SIGKILL)
		r.vpnserver.Wait(10 * time.Second)
		if err := r.start(); err != nil {
			return "", err
		}
		if _, err := p.WaitFor(" on sstp-vpn, MTU", n, 30*time.Second); err != nil {
			return "", err
		}
		gap := time.Since(begin)
		finding, err := r.ping(p)
		return fmt.Sprintf("up again %.1f s after kill -9; %s", gap.Seconds(), finding), err
	})
}
