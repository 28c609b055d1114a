package config

import (
	"encoding/base64"
	"encoding/hex"
	"strings"
)

// PinKind is the part of a certificate that a pin is the hash of.
type PinKind uint8

// The kinds of pins.
const (
	PinLeaf PinKind = iota // SHA-256 of the whole certificate
	PinSPKI                // SHA-256 of its public key (SubjectPublicKeyInfo), which survives a renewal with the same key
)

// Pin is the hash of a certificate that is trusted by itself.
type Pin struct {
	Kind PinKind
	Sum  [32]byte
}

// String returns the pin as option cert_pin has it.
func (p Pin) String() string {
	if p.Kind == PinSPKI {
		return pinSPKI + base64.StdEncoding.EncodeToString(p.Sum[:])
	}
	return pinLeaf + hex.EncodeToString(p.Sum[:])
}

const (
	pinLeaf = "sha256:"
	pinSPKI = "spki-sha256:"
)

// parsePin reads one item of cert_pin. The hexadecimal form may have colons between the bytes, as openssl prints it;
// the base64 form may miss its padding.
func parsePin(s string) (p Pin, ok bool) {
	var sum []byte
	var err error
	if text, found := cutPrefixFold(s, pinSPKI); found {
		p.Kind = PinSPKI
		sum, err = base64.RawStdEncoding.DecodeString(strings.TrimRight(text, "="))
	} else if text, found := cutPrefixFold(s, pinLeaf); found {
		sum, err = hex.DecodeString(strings.ReplaceAll(text, ":", ""))
	}
	if err != nil || len(sum) != len(p.Sum) {
		return Pin{}, false
	}
	copy(p.Sum[:], sum)
	return p, true
}

func cutPrefixFold(s, prefix string) (rest string, found bool) {
	if len(s) < len(prefix) || !strings.EqualFold(s[:len(prefix)], prefix) {
		return s, false
	}
	return s[len(prefix):], true
}
