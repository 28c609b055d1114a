package lab

import (
	"crypto/tls"
	"strings"
	_ "unsafe" // for go:linkname
)

// Package crypto/tls leaves a server no choice among the cipher suites of TLS 1.3, but lets these variables be reached.
//
//go:linkname suites13 crypto/tls.defaultCipherSuitesTLS13
var suites13 []uint16

//go:linkname suites13NoAES crypto/tls.defaultCipherSuitesTLS13NoAES
var suites13NoAES []uint16

// OnlySuite13 makes all servers and clients of this process choose the first cipher suite of TLS 1.3 with a text in its
// name, and reports whether there is one. It must be called before the first handshake.
func OnlySuite13(text string) bool {
	for _, s := range tls.CipherSuites() {
		if s.SupportedVersions[0] == tls.VersionTLS13 && strings.Contains(s.Name, text) {
			suites13, suites13NoAES = []uint16{s.ID}, []uint16{s.ID}
			return true
		}
	}
	return false
}
