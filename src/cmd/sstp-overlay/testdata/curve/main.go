// Command curve does on P-256 what a call does, and prints what comes of it: the same in each run, wherever it runs.
package main

import (
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"math/big"
	"time"
)

func main() {
	peer := private(big.NewInt(0x123456789))
	for _, k := range scalars() {
		own := private(k)
		secret, err := own.ECDH(peer.PublicKey())
		check(err)
		fmt.Printf("%x %x %x\n", k, own.PublicKey().Bytes(), secret)
	}
	signer, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), peer.Bytes())
	check(err)
	sum := sha256.Sum256([]byte("what is signed"))
	signature, err := signer.Sign(nil, sum[:], crypto.SHA256) // RFC 6979: the same each time
	check(err)
	fmt.Printf("%x %t", signature, ecdsa.VerifyASN1(&signer.PublicKey, sum[:], signature))
	signature[len(signature)-1] ^= 1
	fmt.Printf(" %t\n", ecdsa.VerifyASN1(&signer.PublicKey, sum[:], signature))
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		fmt.Println(tls.VersionName(version), handshake(signer, version))
	}
}

// scalars are the smallest keys, the largest, those that are zero in most windows, and some like any other.
func scalars() []*big.Int {
	order := elliptic.P256().Params().N
	var keys []*big.Int
	for i := range int64(20) {
		sum := sha256.Sum256([]byte{byte(i)})
		keys = append(keys, big.NewInt(i+1), new(big.Int).Sub(order, big.NewInt(i+1)),
			new(big.Int).Lsh(big.NewInt(2*i+1), uint(12*i)), new(big.Int).Mod(new(big.Int).SetBytes(sum[:]), order))
	}
	return keys
}

func private(k *big.Int) *ecdh.PrivateKey {
	key, err := ecdh.P256().NewPrivateKey(k.FillBytes(make([]byte, 32)))
	check(err)
	return key
}

// handshake lets a client reach a server that knows no other curve, and has a certificate on this one.
func handshake(signer *ecdsa.PrivateKey, version uint16) tls.CurveID {
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"server"}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &signer.PublicKey, signer)
	check(err)
	certificate, err := x509.ParseCertificate(der)
	check(err)
	roots := x509.NewCertPool()
	roots.AddCert(certificate)
	listener, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{
		Certificates:     []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: signer}},
		CurvePreferences: []tls.CurveID{tls.CurveP256}, MaxVersion: version,
	})
	check(err)
	defer listener.Close()
	go func() {
		server, err := listener.Accept()
		check(err)
		server.(*tls.Conn).Handshake()
	}()
	client, err := tls.Dial("tcp", listener.Addr().String(), &tls.Config{ServerName: "server", RootCAs: roots})
	check(err)
	defer client.Close()
	return client.ConnectionState().CurveID
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}
