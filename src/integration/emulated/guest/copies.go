package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"strings"
	"time"

	"sstp/src/config"
	"sstp/src/integration/netkit"
	"sstp/src/lab"
	"sstp/src/transport"
)

// block is what a plain copy writes and reads at once: one record.
const block = 16384

// serveCopies answers a request as an SSTP server does, then takes the order of a transfer and moves zeros.
func serveCopies(addr, version, suite string) error {
	cert, err := lab.NewCertificate(lab.CertificateOptions{Names: []string{"copy.test"}})
	if err != nil {
		return err
	}
	cfg := &tls.Config{Certificates: []tls.Certificate{cert.TLS}, DynamicRecordSizingDisabled: true}
	restrict(cfg, version, suite)
	l, err := tls.Listen("tcp", addr, cfg)
	if err != nil {
		return err
	}
	fmt.Println("serving")
	for {
		c, err := l.Accept()
		if err != nil {
			return err
		}
		go serveCopy(c)
	}
}

// restrict makes a server speak one version of TLS with one cipher suite.
func restrict(cfg *tls.Config, version, suite string) {
	if version == "1.3" {
		cfg.MinVersion = tls.VersionTLS13
		lab.OnlySuite13(suite)
		return
	}
	cfg.MaxVersion = tls.VersionTLS12
	for _, s := range tls.CipherSuites() {
		if strings.Contains(s.Name, suite) {
			cfg.CipherSuites = append(cfg.CipherSuites, s.ID)
		}
	}
}

func serveCopy(c net.Conn) {
	defer c.Close()
	head := make([]byte, 0, 1024)
	for !bytes.Contains(head, []byte("\r\n\r\n")) {
		n, err := c.Read(head[len(head):cap(head)])
		if head = head[:len(head)+n]; err != nil || len(head) == cap(head) {
			return
		}
	}
	io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551615\r\n\r\n")
	d, n, err := netkit.ReadOrder(c)
	switch {
	case err != nil:
	case d == netkit.Down:
		move(n, c.Write)
	case move(n, c.Read) == nil:
		netkit.Confirm(c)
	}
}

// move moves n bytes by a Write or a Read.
func move(n int64, step func([]byte) (int, error)) error {
	b := make([]byte, block)
	for n > 0 {
		did, err := step(b[:min(n, int64(len(b)))])
		n -= int64(did)
		if err != nil && n > 0 {
			return err
		}
	}
	return nil
}

// plainCopy moves bytes through TLS without SSTP, and prints the processor time that it used.
func plainCopy(addr, path string, d netkit.Direction, n int64) error {
	target, err := netip.ParseAddrPort(addr)
	if err != nil {
		return err
	}
	o := transport.Options{Server: config.Server{Host: target.Addr().String(), Port: target.Port()}, Verify: config.VerifyNone, KTLS: config.Off}
	if path == transport.PathKernel {
		o.KTLS = config.On
	}
	conn, err := transport.Connect(context.Background(), o, nil)
	if err != nil {
		return err
	}
	defer conn.Close()
	if info := conn.Info(); info.Path != path {
		return errors.New(info.PathReason)
	}
	step := conn.Read
	if d == netkit.Up {
		step = conn.Write
	}
	begun, err := clientTime(os.Getpid())
	if err != nil {
		return err
	}
	if _, err := conn.Write(netkit.AppendOrder(nil, d, n)); err != nil {
		return err
	}
	if err := move(n, step); err != nil {
		return err
	}
	if d == netkit.Up {
		if err := netkit.AwaitConfirmation(conn); err != nil {
			return err
		}
	}
	ended, err := clientTime(os.Getpid())
	fmt.Println(int64(ended - begun))
	return err
}

// handshake does the least that a client can do, TCP, TLS and the check of the certificate, and prints how long TLS took.
func handshake(addr, ca string) error {
	text, err := os.ReadFile(ca)
	if err != nil {
		return err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(text)
	tcp, err := net.Dial("tcp", addr)
	if err != nil {
		return err
	}
	defer tcp.Close()
	begun := time.Now()
	if err := tls.Client(tcp, &tls.Config{RootCAs: roots, ServerName: "vpn.test"}).Handshake(); err != nil {
		return err
	}
	fmt.Println(int64(time.Since(begun)))
	return nil
}
