package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"sstp/src/integration"
	"sstp/src/transport"
)

// suites are what the tunnel is measured with.
var suites = []struct {
	name, version, suite string
	openssl              string // its name of the cipher, where that is measured too
	scale                int64  // so many times fewer bytes: Go's AES-GCM is slow here
	part                 string // of the bench, see machine's keeper
}{
	{"TLS 1.3, ChaCha20", "1.3", "CHACHA20_POLY1305", "chacha20-poly1305", 1, "1"},
	{"TLS 1.3, AES-128", "1.3", "AES_128_GCM_SHA256", "aes-128-gcm", 2, "2"},
	{"TLS 1.3, AES-256", "1.3", "AES_256_GCM_SHA384", "aes-256-gcm", 2, "2"},
	{"TLS 1.2, ChaCha20", "1.2", "CHACHA20_POLY1305", "", 1, "3"},
	{"TLS 1.2, AES-128", "1.2", "AES_128_GCM_SHA256", "", 2, "3"},
	{"TLS 1.2, AES-256", "1.2", "AES_256_GCM_SHA384", "", 2, "3"},
}

// volume is how many bytes are moved to measure a path.
var volume = map[string]int64{transport.PathGo: 1 << 20, transport.PathKernel: 3 << 20}

// upWord is what the client says when packets flow.
const upWord = " on sstp-vpn, MTU "

// result tells the machine's keeper a figure: what it is of, what it is, and how much.
func result(of, what string, value any) { fmt.Printf("RESULT;%s;%s;%v\n", of, what, value) }

// bench measures one part of everything.
func bench() error {
	b, err := newBed()
	if err != nil {
		return err
	}
	for _, args := range [][]string{{"source", ":6000"}, {"serve", ":5000"}} {
		if _, err := b.there("serving", append([]string{"/init"}, args...)...); err != nil {
			return err
		}
	}
	note("ready")
	parts := os.Getenv("BENCH_PART")
	if strings.Contains(parts, "1") {
		err = b.availability()
	} else {
		err = errors.Join(loadModules(tlsModules), loadModules(cipherModules))
	}
	if err == nil && strings.Contains(parts, "2") {
		err = transportTests()
	}
	if err != nil {
		return err
	}
	if strings.Contains(parts, "4") {
		if err := errors.Join(benchmarks(), b.datagrams()); err != nil {
			return err
		}
	}
	for i, s := range suites {
		if !strings.Contains(parts, s.part) {
			continue
		}
		if err := b.measure(s.name, s.version, s.suite, s.scale, i == 0); err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
		if s.openssl == "" {
			continue
		}
		perByte, err := openssl(s.openssl)
		if err != nil {
			return fmt.Errorf("openssl: %w", err)
		}
		result(s.name, "openssl", perByte)
	}
	return nil
}

// measure brings the tunnel up with one cipher suite on both paths and measures.
func (b *bed) measure(name, version, suite string, scale int64, first bool) error {
	server, err := b.serve(version, suite)
	if err != nil {
		return err
	}
	defer server.End()
	plain, err := b.there("serving", "/init", "tls-server", outside+":444", version, suite)
	if err != nil {
		return err
	}
	defer plain.End()
	for _, path := range []string{transport.PathGo, transport.PathKernel} {
		if err := b.measurePath(name, path, scale, server, first && path == transport.PathKernel); err != nil {
			return fmt.Errorf("the path %s: %w", path, err)
		}
		for _, direction := range []string{"up", "down"} {
			n := volume[path] / scale
			took, err := b.here("took", "copy", outside+":444", path, direction, strconv.FormatInt(n, 10))
			if err != nil {
				return fmt.Errorf("a plain copy on the path %s: %w", path, err)
			}
			note("a plain copy %s on the path %s", direction, path)
			result(name, "copy "+path+" "+direction, float64(took)/float64(n))
		}
	}
	if first {
		return b.measureStart(name)
	}
	return nil
}

// ca is the file with the authority that vouches for the server.
func (b *bed) ca() string { return filepath.Join(b.Dir, "ca.pem") }

// serve starts the SSTP server with one version of TLS and one cipher suite.
func (b *bed) serve(version, suite string) (*integration.Process, error) {
	users, err := b.File("users", "demo:secret\n")
	if err != nil {
		return nil, err
	}
	return b.there("listening", "sstp-lab", "--listen", outside+":443", "--tun", "lab0", "--users", users, "--write-ca", b.ca(),
		"--pool", "10.99.0.0/24", "--tls-min", version, "--tls-max", version, "--cipher", suite)
}

// up starts the client on a path and waits until the tunnel is up.
func (b *bed) up(path string) (p *integration.Process, seen int, took time.Duration, err error) {
	return b.upWith(map[string]string{transport.PathGo: "0", transport.PathKernel: "1"}[path])
}

// upWith starts the client with a value of option ktls.
func (b *bed) upWith(ktls string) (p *integration.Process, seen int, took time.Duration, err error) {
	file, err := b.File("config/network", "config interface 'vpn'\n\toption proto 'sstp'\n\toption server '"+outside+
		"'\n\toption username 'demo'\n\toption password 'secret'\n\toption ca_cert '"+b.ca()+
		"'\n\toption server_name 'vpn.test'\n\toption defaultroute '0'\n\toption ktls '"+ktls+"'\n")
	if err != nil {
		return nil, 0, 0, err
	}
	begun := time.Now()
	if p, err = b.Start("", "sstp", "up", "vpn", "--config", filepath.Dir(file)); err != nil {
		return nil, 0, 0, err
	}
	if seen, err = p.WaitFor(upWord, 0, patient); err != nil {
		return p, 0, 0, err
	}
	return p, seen, time.Since(begun), nil
}

var pathWords = map[string]string{transport.PathGo: "encrypted by Go", transport.PathKernel: "encrypted by the kernel"}

// measurePath measures the tunnel on one path, and cuts it once where that is asked for.
func (b *bed) measurePath(name, path string, scale int64, server *integration.Process, cut bool) error {
	p, _, _, err := b.up(path)
	if err != nil {
		return err
	}
	defer p.End()
	note("the tunnel is up on the path %s", path)
	i := strings.Index(p.Output(), pathWords[path])
	if i < 0 {
		return fmt.Errorf("it is not %s:\n%s", pathWords[path], p.Output())
	}
	before := p.Output()[:i]
	result(name, "negotiated", strings.TrimSuffix(strings.TrimSpace(before[strings.LastIndex(before, "TLS 1."):]), ","))
	n := volume[path] / scale
	for _, direction := range []string{"up", "down"} {
		begun, err := clientTime(p.Pid())
		if err != nil {
			return err
		}
		if _, err := b.here("", "traffic", inside+":6000", direction, strconv.FormatInt(n, 10)); err != nil {
			return fmt.Errorf("%w\n%s", err, p.Output())
		}
		note("moved %d bytes %s", n, direction)
		ended, err := clientTime(p.Pid())
		if err != nil {
			return err
		}
		result(name, "sstp "+path+" "+direction, float64(ended-begun)/float64(n))
	}
	resident, anonymous := residentKiB(p.Pid())
	result(name, "resident "+path, resident)
	result(name, "anonymous "+path, anonymous)
	p.End()
	if !cut {
		return nil
	}
	for _, direction := range []string{"up", "down"} {
		if err := b.cutAndResume(path, direction, server); err != nil {
			return err
		}
	}
	return nil
}

// cutAndResume cuts the call during a transfer with a checksum, which must come through. The client is a new one: it
// takes a second cut within a minute for a server that does not want it, and waits.
func (b *bed) cutAndResume(path, direction string, server *integration.Process) error {
	p, seen, _, err := b.up(path)
	if err != nil {
		return err
	}
	defer p.End()
	transfer, err := b.Start("", "/init", "transfer", inside+":5000", direction, strconv.Itoa(2<<20))
	if err != nil {
		return err
	}
	time.Sleep(200 * time.Millisecond)
	if err := server.Signal(syscall.SIGUSR1); err != nil {
		return err
	}
	if _, err = p.WaitFor(upWord, seen, patient); err != nil {
		return fmt.Errorf("after a cut: %w", err)
	}
	if code, err := transfer.Wait(patient); err != nil || code != 0 {
		return fmt.Errorf("a transfer %s did not survive a cut: %v, %s", direction, err, transfer.Output())
	}
	note("cut during a transfer %s and resumed", direction)
	return nil
}

// measureStart measures how long it takes from exec to up, and a handshake alone.
func (b *bed) measureStart(name string) error {
	var starts, shakes, alones []time.Duration
	for range 5 {
		p, _, took, err := b.up(transport.PathKernel)
		if err != nil {
			return err
		}
		note("started and up")
		p.End()
		starts = append(starts, took)
		begun := time.Now()
		alone, err := b.here("shook hands in", "handshake", outside+":443", b.ca())
		if err != nil {
			return err
		}
		shakes = append(shakes, time.Since(begun))
		alones = append(alones, time.Duration(alone))
	}
	result(name, "start", int64(median(starts)))
	result(name, "shake", int64(median(shakes)))
	result(name, "shake alone", int64(median(alones)))
	return nil
}

// openssl measures the bare cipher on blocks of 16 KiB, in nanoseconds for each byte.
func openssl(cipher string) (float64, error) {
	cmd := exec.Command("openssl", "speed", "-mr", "-seconds", "1", "-bytes", strconv.Itoa(block), "-evp", cipher)
	cmd.Env = append(os.Environ(), "OPENSSL_CONF=/etc/openssl.cnf")
	out, err := cmd.CombinedOutput()
	if err != nil {
		return 0, fmt.Errorf("%w: %s", err, out)
	}
	for line := range strings.Lines(string(out)) {
		fields := strings.Split(strings.TrimSpace(line), ":")
		if fields[0] == "+F" && len(fields) > 3 {
			perSecond, err := strconv.ParseFloat(fields[len(fields)-1], 64)
			return 1e9 / perSecond, err
		}
	}
	return 0, errors.New("no figure in: " + string(out))
}

// note says how far it is, with the machine's own clock.
func note(format string, args ...any) {
	var t unix.Timespec
	unix.ClockGettime(unix.CLOCK_BOOTTIME, &t)
	fmt.Printf("%6.2f s: %s\n", float64(t.Nano())/1e9, fmt.Sprintf(format, args...))
}

func median(d []time.Duration) time.Duration {
	d = slices.Sorted(slices.Values(d))
	return d[len(d)/2]
}
