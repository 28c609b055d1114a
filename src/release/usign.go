package main

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"strings"
)

// usignKey is a secret key of usign, with which opkg checks indexes: Ed25519 in signify's format.
type usignKey struct {
	fingerprint []byte
	key         ed25519.PrivateKey
}

// Layout of a decoded secret key: "Ed", "BK", rounds[4], salt[16], checksum[8], fingerprint[8], key[64].
const (
	usignSecretLen   = 104
	usignRounds      = 4
	usignFingerprint = 32
	usignSecret      = 40
)

// readUsignKey reads a secret key that `usign -G` made.
func readUsignKey(file string) (*usignKey, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	_, encoded, _ := strings.Cut(string(text), "\n")
	b, err := base64.StdEncoding.DecodeString(strings.TrimSpace(encoded))
	switch {
	case err != nil || len(b) != usignSecretLen || string(b[:2]) != "Ed":
		return nil, fmt.Errorf("%s is not a secret key of usign; make one with: usign -G -s key.sec -p key.pub", file)
	case !bytes.Equal(b[usignRounds:usignRounds+4], make([]byte, 4)):
		return nil, fmt.Errorf("%s is protected by a password, which is not supported", file)
	}
	return &usignKey{fingerprint: b[usignFingerprint:usignSecret], key: b[usignSecret:]}, nil
}

// sign returns the text of a signature's file.
func (k *usignKey) sign(message []byte) []byte {
	signature := append([]byte("Ed"), k.fingerprint...)
	signature = append(signature, ed25519.Sign(k.key, message)...)
	return k.encode("signed by key", signature)
}

// public returns the text of the public key's file, which routers keep as /etc/opkg/keys/FINGERPRINT.
func (k *usignKey) public() []byte {
	public := append([]byte("Ed"), k.fingerprint...)
	return k.encode("public key", append(public, k.key.Public().(ed25519.PublicKey)...))
}

// name returns the name of the public key's file on a router.
func (k *usignKey) name() string { return fmt.Sprintf("%x", k.fingerprint) }

func (k *usignKey) encode(comment string, b []byte) []byte {
	return fmt.Appendf(nil, "untrusted comment: %s %x\n%s\n", comment, k.fingerprint, base64.StdEncoding.EncodeToString(b))
}

// verify checks a signature that sign made.
func (k *usignKey) verify(message, signature []byte) error {
	_, encoded, _ := strings.Cut(string(signature), "\n")
	b, err := base64.StdEncoding.DecodeString(strings.TrimSpace(encoded))
	if err != nil || len(b) != 2+8+ed25519.SignatureSize || !ed25519.Verify(k.key.Public().(ed25519.PublicKey), message, b[10:]) {
		return errors.New("the signature is wrong")
	}
	return nil
}
