package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"sstp/src/integration/netkit"
	"sstp/src/transport"
)

// suites are the cipher suites with which the tunnel is measured.
var suites = []struct {
	name, version, suite string
	openssl              string // its name of the cipher, where that is measured too
	scale                int64  // so many times fewer bytes: Go's AES-GCM is slow here
	part                 string // of the bench
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

// bench runs those parts of the bench that the kernel's command line names.
func bench() error {
	n, err := newNetwork()
	if err != nil {
		return err
	}
	note("ready")
	parts := os.Getenv("BENCH_PART")
	if strings.Contains(parts, "1") {
		err = n.availability()
	} else {
		err = errors.Join(loadModules(tlsModules), loadModules(cipherModules))
	}
	if err == nil && strings.Contains(parts, "2") {
		err = transportTests()
	}
	if err == nil && strings.Contains(parts, "4") {
		err = n.datagrams()
	}
	for i, s := range suites {
		if err != nil {
			return err
		}
		if !strings.Contains(parts, s.part) {
			continue
		}
		if err = n.measure(s.name, s.version, s.suite, s.scale, i == 0); err == nil && s.openssl != "" {
			err = measureOpenSSL(s.name, s.openssl)
		}
		if err != nil {
			err = fmt.Errorf("%s: %w", s.name, err)
		}
	}
	return err
}

// measure measures the tunnel with one cipher suite on both paths, each beside a plain copy through TLS.
func (n *network) measure(name, version, suite string, scale int64, first bool) error {
	server, err := n.serve(version, suite)
	if err != nil {
		return err
	}
	defer server.End()
	copies, err := n.server.StartAnd("serving", patience, "/init", "serve-copies", outside+":444", version, suite)
	if err != nil {
		return err
	}
	defer copies.End()
	for _, path := range []string{transport.PathGo, transport.PathKernel} {
		if err := n.measurePath(name, path, volume[path]/scale); err != nil {
			return fmt.Errorf("the path %s: %w", path, err)
		}
		if first && path == transport.PathKernel {
			for _, d := range netkit.Directions {
				if err := n.cutAndResume(path, d, server); err != nil {
					return err
				}
			}
		}
		for _, d := range netkit.Directions {
			bytes := volume[path] / scale
			took, err := n.command("copy", outside+":444", path, string(d), strconv.FormatInt(bytes, 10))
			if err != nil {
				return fmt.Errorf("a plain copy on the path %s: %w", path, err)
			}
			note("a plain copy %s on the path %s", d, path)
			result(name, "copy "+path+" "+string(d), took/float64(bytes))
		}
	}
	if first {
		return n.measureStart(name)
	}
	return nil
}

// measurePath measures the tunnel on one path.
func (n *network) measurePath(name, path string, bytes int64) error {
	p, _, _, err := n.up(path)
	if err != nil {
		return err
	}
	defer p.End()
	note("the tunnel is up on the path %s", path)
	encrypted := map[string]string{transport.PathGo: netkit.EncryptedByGo, transport.PathKernel: netkit.EncryptedKernel}[path]
	before, _, ok := strings.Cut(p.Output(), encrypted)
	if !ok {
		return fmt.Errorf("it is not %s:\n%s", encrypted, p.Output())
	}
	result(name, "negotiated", strings.TrimSuffix(strings.TrimSpace(before[strings.LastIndex(before, "TLS 1."):]), ","))
	for _, d := range netkit.Directions {
		used, err := timed(p, func() error {
			_, err := n.Here.Transfer(inside+":5000", d, bytes, patience)
			return err
		})
		if err != nil {
			return err
		}
		note("moved %d bytes %s", bytes, d)
		result(name, "sstp "+path+" "+string(d), float64(used)/float64(bytes))
	}
	memory, err := netkit.MemoryOf(p.Pid())
	result(name, "resident "+path, memory.Resident)
	result(name, "anonymous "+path, memory.Anonymous)
	return err
}

// cutAndResume cuts the call during a transfer, which must come through. The client is a new one each time: it takes a second
// cut within a minute for a server that does not want it, and waits.
func (n *network) cutAndResume(path string, d netkit.Direction, server *netkit.Process) error {
	p, seen, _, err := n.up(path)
	if err != nil {
		return err
	}
	defer p.End()
	transferred := make(chan error, 1)
	go func() {
		_, err := n.Here.Transfer(inside+":5000", d, 4<<20, patience)
		transferred <- err
	}()
	time.Sleep(100 * time.Millisecond)
	select {
	case err := <-transferred:
		return fmt.Errorf("a transfer %s ended before the cut: %v", d, err)
	default:
	}
	if err := server.Signal(syscall.SIGUSR1); err != nil {
		return err
	}
	if _, err = p.WaitFor(netkit.UpText, seen, patience); err != nil {
		return fmt.Errorf("after a cut: %w", err)
	}
	if err := <-transferred; err != nil {
		return fmt.Errorf("a transfer %s did not survive a cut: %w", d, err)
	}
	note("cut during a transfer %s and resumed", d)
	return nil
}

// measureStart measures how long it takes from exec to up, and a handshake alone.
func (n *network) measureStart(name string) error {
	var starts, shakes, alones []float64
	for range 5 {
		p, _, took, err := n.up(transport.PathKernel)
		if err != nil {
			return err
		}
		note("started and up")
		p.End()
		begin := time.Now()
		alone, err := n.command("handshake", outside+":443", n.server.CA())
		if err != nil {
			return err
		}
		starts, shakes, alones = append(starts, float64(took)), append(shakes, float64(time.Since(begin))), append(alones, alone)
	}
	for column, times := range map[string][]float64{"start": starts, "shake": shakes, "shake alone": alones} {
		slices.Sort(times)
		result(name, column, times[len(times)/2])
	}
	return nil
}

// measureOpenSSL measures the bare cipher on blocks of 16 KiB, in nanoseconds for each byte.
func measureOpenSSL(name, cipher string) error {
	cmd := exec.Command("openssl", "speed", "-mr", "-seconds", "1", "-bytes", strconv.Itoa(block), "-evp", cipher)
	cmd.Env = append(os.Environ(), "OPENSSL_CONF=/etc/openssl.cnf")
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("openssl: %w: %s", err, out)
	}
	for line := range strings.Lines(string(out)) {
		fields := strings.Split(strings.TrimSpace(line), ":")
		if fields[0] == "+F" && len(fields) > 3 {
			perSecond, err := strconv.ParseFloat(fields[len(fields)-1], 64)
			result(name, "openssl", 1e9/perSecond)
			return err
		}
	}
	return fmt.Errorf("openssl prints no figure: %s", out)
}
