package main

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"reflect"
	"strings"
	"testing"

	"sstp/src/session"
	"sstp/src/text"
)

func TestACertificateCannotControlTheTerminal(t *testing.T) {
	c := &x509.Certificate{Subject: pkix.Name{CommonName: "\x1b[2Jevil\x07\u009b1m" + strings.Repeat("x", 1000)}}
	if got := nameText(c, true); !text.Plain(got) || !strings.Contains(got, "evil") || len(got) > 300 {
		t.Errorf("nameText returned %q", got)
	}
}

func TestBytesAreWrittenForPeople(t *testing.T) {
	for n, want := range map[uint64]string{0: "0 B", 999: "999 B", 1000: "1.0 KB", 209_715_200: "209.7 MB", 3_000_000_000: "3.0 GB"} {
		if got := bytesText(n); got != want {
			t.Errorf("%d is %q, want %q", n, got, want)
		}
	}
}

func TestAPasswordIsTheFirstLine(t *testing.T) {
	for in, want := range map[string]string{"secret\nmore": "secret", "secret": "secret", "with space \r\n": "with space ", "": ""} {
		if got, err := readLine(strings.NewReader(in)); err != nil || got != want {
			t.Errorf("%q gave %q, %v", in, got, err)
		}
	}
	if _, err := readLine(strings.NewReader(strings.Repeat("x", 5000))); err == nil {
		t.Error("an endless line was accepted")
	}
}

func TestTheLastLineSaysHowOftenItWasDialedAgain(t *testing.T) {
	for n, want := range map[int]string{0: "", 1: ", dialed again once", 2: ", dialed again 2 times"} {
		st := session.Status{Reconnects: n}
		st.Counters.RxBytes, st.Counters.TxBytes = 1500, 20
		if got := summary(st); got != "received 1.5 KB, sent 20 B"+want {
			t.Errorf("%q", got)
		}
	}
}

func TestOptionsStandBeforeAndBehindTheOperands(t *testing.T) {
	for _, args := range [][]string{
		{"vpn", "--config", "dir", "-o", "a=b", "-o", "c=d"},
		{"--config=dir", "-o", "a=b", "vpn", "-o=c=d"},
	} {
		a, err := parseArgs(args, "--config")
		if err != nil {
			t.Fatal(err)
		}
		want := arguments{operands: []string{"vpn"}, values: map[string]string{"--config": "dir"}, settings: []string{"a=b", "c=d"}}
		if !reflect.DeepEqual(a, want) {
			t.Errorf("%v gave %+v, want %+v", args, a, want)
		}
	}
}

func TestUnknownOptionsAndMissingValuesAreRefused(t *testing.T) {
	for _, args := range [][]string{{"--password", "x"}, {"--config"}, {"-o"}, {"-x"}} {
		if _, err := parseArgs(args, "--config"); err == nil {
			t.Errorf("%v was accepted", args)
		}
	}
}
