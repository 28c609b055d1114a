package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/sha512"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"
)

// apkKey is an ECDSA key as `openssl ecparam -name prime256v1 -genkey` makes it. apk trusts it if the public half is in
// /etc/apk/keys.
type apkKey struct{ key *ecdsa.PrivateKey }

// digestSHA512 is apk's number of the hash; apk-tools 3.0.6, src/apk_crypto.h.
const digestSHA512 = 4

func readAPKKey(file string) (*apkKey, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		switch block.Type {
		case "EC PRIVATE KEY":
			key, err := x509.ParseECPrivateKey(block.Bytes)
			return &apkKey{key}, err
		case "PRIVATE KEY":
			key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
			if ec, ok := key.(*ecdsa.PrivateKey); ok && err == nil {
				return &apkKey{ec}, nil
			}
		}
	}
	return nil, fmt.Errorf("%s is not an EC private key; make one with: openssl ecparam -name prime256v1 -genkey -noout -out key.pem", file)
}

// sign returns the contents of a signature block: version 0, the hash's number, the key's identity, and the signature of the
// schema, these and the tree's hash. The signature is deterministic (RFC 6979), so that signed packages are reproducible too.
func (k *apkKey) sign(schema string, tree [sha512.Size]byte) ([]byte, error) {
	point, err := k.key.PublicKey.Bytes()
	if err != nil {
		return nil, err
	}
	id := sha512.Sum512(point)
	block := append([]byte{0, digestSHA512}, id[:16]...)
	signed := append([]byte(schema), block...)
	digest := sha512.Sum512(append(signed, tree[:]...))
	signature, err := k.key.Sign(nil, digest[:], crypto.SHA512)
	return append(block, signature...), err
}

// public returns the public half, for /etc/apk/keys.
func (k *apkKey) public() ([]byte, error) {
	der, err := x509.MarshalPKIXPublicKey(&k.key.PublicKey)
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), err
}
