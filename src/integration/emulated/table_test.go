package main

import (
	"strings"
	"testing"
)

func TestTheTable(t *testing.T) {
	f := &figures{}
	for line := range strings.Lines(`RESULT;TLS 1.3;negotiated;TLS 1.3, ChaCha20
RESULT;TLS 1.3;sstp go up;120
RESULT;TLS 1.3;sstp kernel up;30
RESULT;TLS 1.3;copy kernel up;20
RESULT;TLS 1.3;sstp go down;200
RESULT;TLS 1.3;sstp kernel down;39
RESULT;TLS 1.3;copy kernel down;20
RESULT;TLS 1.3;openssl;25
RESULT;TLS 1.3;resident go;5120
RESULT;TLS 1.3;resident kernel;6144
RESULT;TLS 1.3;start;26000000
RESULT;TLS 1.3;shake;20000000
`) {
		if !f.take(strings.TrimSpace(line)) {
			t.Errorf("%q is a figure", line)
		}
	}
	if f.take("1.00 s: moved; so; and; so") {
		t.Error("what is no figure is taken for one")
	}
	var out strings.Builder
	f.print(&out)
	wantIn(t, out.String(),
		"up     120.0      30.0      4.0", // over Go's
		"sstp by the kernel over sstp by Go, up                                 0.25     0.17  missed",
		"sstp by the kernel over sstp by Go, down                               0.20     0.20\n",
		"sstp by the kernel over OpenSSL's bare cipher, up                      1.20     1.50\n",
		"resident memory under load, MB                                         6.00    10.00\n",
		"exec to up over a program that only shakes hands                       1.30     1.30\n",
	)
	out.Reset()
	f.goFast = true
	f.print(&out)
	if want := "sstp by the kernel over sstp by Go, up                                 0.25\n"; !strings.Contains(out.String(), want) {
		t.Errorf("where Go is fast the kernel need not be faster: no %q in\n%s", want, &out)
	}
	out.Reset()
	(&figures{}).print(&out)
	if out.Len() > 0 {
		t.Errorf("no figures are no table: %s", &out)
	}
}

// wantIn checks that each of the lines stands in what was printed.
func wantIn(t *testing.T, printed string, lines ...string) {
	t.Helper()
	for _, want := range lines {
		if !strings.Contains(printed, want) {
			t.Errorf("there is no %q in\n%s", want, printed)
		}
	}
}
