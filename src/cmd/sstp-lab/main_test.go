package main

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"sstp/src/auth"
	"sstp/src/ppp"
	"sstp/src/sstp"
)

func TestEachOptionIsExplained(t *testing.T) {
	text := usage()
	for _, arg := range []string{"listen", "cert", "key", "name", "self-signed", "expired", "rsa", "write-cert", "write-ca", "tls-min",
		"tls-max", "tls-legacy", "path-secret", "users", "user", "auth", "hash", "client-ca", "demand-client-cert",
		"write-client-cert", "write-client-key", "single-session", "pool", "pool6", "dns", "fresh-address", "no-ipv6", "tun",
		"mtu", "no-offload", "trace", "misbehave"} {
		if !strings.Contains(text, "--"+arg) {
			t.Errorf("--%s is not in the usage text", arg)
		}
	}
	for line := range strings.Lines(text) {
		if len(line) > 125 {
			t.Errorf("a line is too long: %s", line)
		}
	}
}

func TestWrongCommandLines(t *testing.T) {
	for _, args := range [][]string{
		{"--nonsense"}, {"word"}, {"--cert", "x"}, {"--mtu", "100"}, {"--misbehave", "nonsense"}, {"--write-client-cert", "x"},
	} {
		var out, errs bytes.Buffer
		if code := run(args, nil, &out, &errs); code != 2 || !strings.Contains(errs.String(), "--help") {
			t.Errorf("%v: exit code %d, %s", args, code, errs.String())
		}
	}
	for _, args := range [][]string{
		{"--auth", "peap"}, {"--hash", "md5"}, {"--tls-max", "2.0"}, {"--pool", "x"}, {"--pool6", "10.0.0.0/8"}, {"--dns", "x"},
		{"--users", "/nonexistent"}, {"--user", "nopassword"}, {"--client-ca", "/dev/null"}, {"--cert", "/dev/null", "--key", "/dev/null"},
		{"--self-signed", "--write-client-cert", "a", "--write-client-key", "b"},
		{"--listen", "256.0.0.1:0"},
	} {
		var out, errs bytes.Buffer
		if code := run(append(args, "--listen", "127.0.0.1:0"), nil, &out, &errs); code != 1 || errs.Len() == 0 {
			t.Errorf("%v: exit code %d, %s", args, code, errs.String())
		}
	}
}

func TestTheCommandLineBecomesAConfiguration(t *testing.T) {
	file := filepath.Join(t.TempDir(), "users")
	if err := os.WriteFile(file, []byte("# who\na:1:2\n\nb:\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	o, err := parse([]string{"--users", file, "--user", "c:3", "--auth", "pap,mschapv2", "--hash", "sha1", "--tls-max", "1.2", "--dns", "10.0.0.53,fd00::53"})
	if err != nil {
		t.Fatal(err)
	}
	cfg, err := o.config()
	if err != nil {
		t.Fatal(err)
	}
	if fmt.Sprint(cfg.Users) != "map[a:1:2 b: c:3]" {
		t.Errorf("users: %v", cfg.Users)
	}
	if fmt.Sprint(cfg.Methods) != fmt.Sprint([]auth.Method{auth.PAP, auth.MSCHAPv2}) || cfg.HashMask != sstp.HashSHA1 ||
		cfg.TLSMax != tls.VersionTLS12 || len(cfg.DNS) != 2 || cfg.MRU != 1400 {
		t.Errorf("got %+v", cfg)
	}
}

func TestTheCipherCanBeChosen(t *testing.T) {
	o, err := parse([]string{"--cipher", "CHACHA20"})
	if err != nil {
		t.Fatal(err)
	}
	cfg, err := o.config()
	if err != nil || cfg.TLSMax != tls.VersionTLS12 || len(cfg.CipherSuites) != 2 {
		t.Errorf("%x up to %x, %v", cfg.CipherSuites, cfg.TLSMax, err)
	}
	if o, err = parse([]string{"--cipher", "ROT13"}); err == nil {
		_, err = o.config()
	}
	if err == nil {
		t.Error("a cipher that does not exist was accepted")
	}
}

// screen is what the program printed; line waits for a line that begins so.
type screen struct {
	mu   sync.Mutex
	text strings.Builder
	more chan struct{}
}

func (s *screen) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.text.Write(b)
	select {
	case s.more <- struct{}{}:
	default:
	}
	return len(b), nil
}

func (s *screen) line(begin string) string {
	for {
		s.mu.Lock()
		text := s.text.String()
		s.mu.Unlock()
		for line := range strings.Lines(text) {
			if strings.HasPrefix(line, begin) && strings.HasSuffix(line, "\n") {
				return strings.TrimSpace(line)
			}
		}
		<-s.more
	}
}

func TestAWholeRun(t *testing.T) {
	dir := t.TempDir()
	ca, cert, key := filepath.Join(dir, "ca"), filepath.Join(dir, "cert"), filepath.Join(dir, "key")
	signals, out := make(chan os.Signal), &screen{more: make(chan struct{}, 1)}
	code := make(chan int)
	go func() {
		code <- run([]string{"--listen", "127.0.0.1:0", "--write-ca", ca, "--write-client-cert", cert, "--write-client-key", key}, signals, out, os.Stderr)
	}()
	address := strings.TrimSuffix(strings.Fields(out.line("listening on"))[2], ",")
	text, err := os.ReadFile(ca)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(text) {
		t.Fatal("no CA was written")
	}
	if _, err := tls.LoadX509KeyPair(cert, key); err != nil {
		t.Error(err)
	}
	conn, err := tls.Dial("tcp", address, &tls.Config{RootCAs: roots})
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(conn, "GET / HTTP/1.1\r\nHost: vpn.test\r\n\r\n")
	answer := make([]byte, 12)
	if _, err := conn.Read(answer); err != nil || string(answer) != "HTTP/1.1 405" {
		t.Errorf("answered %q, %v", answer, err)
	}
	out.line("#1 ended")
	signals <- syscall.SIGUSR1
	if got := out.line("cut"); got != "cut 0 connections" {
		t.Error(got)
	}
	signals <- syscall.SIGTERM
	if n := <-code; n != 0 {
		t.Errorf("exit code %d", n)
	}
	out.line("ended: 1 connections")
}

func TestTheTraceNamesWhatItShows(t *testing.T) {
	for _, test := range []struct {
		pkt  []byte
		want string
	}{
		{sstp.AppendControl(nil, sstp.EchoRequest), "> ECHO_REQUEST 1001000800080000"},
		{sstp.AppendData(nil, ppp.AppendFrame(nil, ppp.ProtoLCP, []byte{1, 7, 0, 4})), "> LCP Configure-Request id=7 1000000cff03c02101070004"},
		{sstp.AppendData(nil, ppp.AppendFrame(nil, ppp.ProtoCHAP, []byte{3, 7, 0, 4})), "> CHAP Success id=7 1000000cff03c22303070004"},
		{sstp.AppendData(nil, ppp.AppendFrame(nil, ppp.ProtoEAP, []byte{99, 7, 0, 4})), "> EAP code 99 id=7 1000000cff03c22763070004"},
		{sstp.AppendData(nil, []byte{0xff}), "> data that is no PPP frame 10000005ff"},
		{sstp.AppendData(nil, nil), "> data that is no PPP frame 10000004"},
	} {
		if got := describe(true, test.pkt); got != test.want {
			t.Errorf("got  %s\nwant %s", got, test.want)
		}
	}
}
