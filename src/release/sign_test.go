package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha512"
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// signed is what testdata/usign.sig signs, made by usign of 2025-10 with the key beside it.
const signed = "Package: sstp\n"

func TestSignaturesAreThoseThatUsignMakes(t *testing.T) {
	key, err := readUsignKey("testdata/usign.sec")
	if err != nil {
		t.Fatal(err)
	}
	if got, want := string(key.sign([]byte(signed))), text(t, "testdata/usign.sig"); got != want {
		t.Errorf("signature is\n%s, usign's is\n%s", got, want)
	}
	_, got, _ := strings.Cut(string(key.public()), "\n")
	if _, want, _ := strings.Cut(text(t, "testdata/usign.pub"), "\n"); got != want {
		t.Errorf("public key is %q, usign's is %q", got, want)
	}
	if err := key.verify([]byte(signed), key.sign([]byte(signed))); err != nil {
		t.Error(err)
	}
	if key.verify([]byte("another one"), key.sign([]byte(signed))) == nil {
		t.Error("a signature fits another message")
	}
}

func TestWhatIsNoKeyIsRefusedWithHowToMakeOne(t *testing.T) {
	for name, contents := range map[string]string{"empty": "", "text": "untrusted comment: x\nnonsense\n", "public": text(t, "testdata/usign.pub")} {
		file := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(file, []byte(contents), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := readUsignKey(file); err == nil {
			t.Errorf("%s is taken for a key of usign", name)
		}
		if _, err := readAPKKey(file); err == nil {
			t.Errorf("%s is taken for a key of apk", name)
		}
	}
}

func TestSignaturesForApkVerifyAndAreReproducible(t *testing.T) {
	key := newAPKKey(t)
	tree := sha512.Sum512([]byte("a tree"))
	first, err := key.sign(schemaPackage, tree)
	if err != nil {
		t.Fatal(err)
	}
	second, err := key.sign(schemaPackage, tree)
	if err != nil || string(first) != string(second) {
		t.Error("two signatures of one thing differ")
	}
	public, err := key.public()
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(public)
	parsed, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	const header = 2 + 16
	digest := sha512.Sum512(append(append([]byte(schemaPackage), first[:header]...), tree[:]...))
	if !ecdsa.VerifyASN1(parsed.(*ecdsa.PublicKey), digest[:], first[header:]) {
		t.Error("the signature does not verify")
	}
}

func text(t *testing.T, file string) string {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// newAPKKey makes a key as openssl writes it, and reads it.
func newAPKKey(t *testing.T) *apkKey {
	t.Helper()
	made, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalECPrivateKey(made)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "key.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	key, err := readAPKKey(file)
	if err != nil {
		t.Fatal(err)
	}
	return key
}
