package main

import (
	"strings"
	"testing"
)

func TestTheTables(t *testing.T) {
	f := &figures{}
	for line := range strings.Lines(`RESULT;small packets;go 1;141000
RESULT;small packets;go 64;30000
RESULT;small packets;kernel 1;127000
RESULT;TLS 1.3;negotiated;TLS 1.3, ChaCha20
RESULT;TLS 1.3;sstp go up;120
RESULT;TLS 1.3;sstp kernel up;30
RESULT;TLS 1.3;copy kernel up;20
RESULT;TLS 1.3;sstp go down;200
RESULT;TLS 1.3;sstp kernel down;39
RESULT;TLS 1.3;openssl;25
RESULT;TLS 1.3;resident go;5242880
RESULT;TLS 1.3;resident kernel;6291456
RESULT;TLS 1.3;start;26000000
RESULT;TLS 1.3;shake;20000000
`) {
		if !f.take(strings.TrimSpace(line)) {
			t.Errorf("%q is a figure", line)
		}
	}
	if f.take("1.00 s: moved; so; and; so") {
		t.Error("a line that is no figure is taken for one")
	}
	wantRows(t, f,
		"1 at a time|141000|127000",
		"64 at a time|30000|",
		"TLS 1.3|up|120.0|30.0|4.0||20.0|1.50|25.0",
		"TLS 1.3|down|200.0|39.0|5.1||||25.0",
		"TLS 1.3, ChaCha20|measured|at most|",
		"sstp by the kernel over sstp by Go, up|0.25|0.17|missed",
		"sstp by the kernel over sstp by Go, down|0.20|0.20|met",
		"sstp by the kernel over OpenSSL's bare cipher, up|1.20|1.50|met",
		"resident memory under load, MiB|6.00|10.00|met",
		"exec to up over a program that only shakes hands|1.30|1.30|met",
	)
	f.goFast = true
	wantRows(t, f, "sstp by the kernel over sstp by Go, up|0.25||")
	var out strings.Builder
	if (&figures{}).print(&out); out.Len() > 0 {
		t.Errorf("without figures there is a table: %s", &out)
	}
}

// wantRows checks that each of the rows is printed, its cells without the spaces around them.
func wantRows(t *testing.T, f *figures, rows ...string) {
	t.Helper()
	var out strings.Builder
	f.print(&out)
	printed := map[string]bool{}
	for line := range strings.Lines(out.String()) {
		cells := strings.Split(strings.Trim(line, "|\n"), "|")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		printed[strings.Join(cells, "|")] = true
	}
	for _, want := range rows {
		if !printed[want] {
			t.Errorf("there is no row %q in\n%s", want, &out)
		}
	}
}
