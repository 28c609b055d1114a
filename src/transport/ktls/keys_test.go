package ktls

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha512"
	"crypto/tls"
	"encoding/hex"
	"testing"

	"sstp/src/transport/testkit"
)

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// secretOf is a secret of known bytes.
func secretOf(b []byte) secret {
	s := secret{len: len(b)}
	copy(s.bytes[:], b)
	return s
}

// TestRFC8448 is the simple handshake of RFC 8448 section 3.
func TestRFC8448(t *testing.T) {
	s := secrets{
		client: secretOf(unhex(t, "9e40646ce79a7f9dc05af8889bce6552875afa0b06df0087f792ebb7c17504a5")),
		server: secretOf(unhex(t, "a11af9f05531f856ad47116b45a950328204b4f44bfb6b3a4b4f1f3fcb631643")),
	}
	client, server := s.schedule(tls.VersionTLS13, kernelSuites[tls.TLS_AES_128_GCM_SHA256], nil, 7, 7)
	for _, d := range []struct {
		who     string
		got     direction
		key, iv string
	}{
		{"client", client, "17422dda596ed5d9acd890e3c63f5051", "5b78923dee08579033e523d9"},
		{"server", server, "9f02283b6c9c07efc26bb9f2ac92e356", "cf782b88dd83549aadf1e984"},
	} {
		if !bytes.Equal(d.got.key[:16], unhex(t, d.key)) || !bytes.Equal(d.got.iv[:], unhex(t, d.iv)) || d.got.seq != 0 {
			t.Errorf("%s: key %x, iv %x, sequence number %d", d.who, d.got.key[:16], d.got.iv, d.got.seq)
		}
	}
}

// TestSHA384 is HKDF-Expand-Label written out: for less than a hash's length it is one HMAC (RFC 5869 section 2.3).
func TestSHA384(t *testing.T) {
	bytes48 := bytes.Repeat([]byte{0x5a}, 48)
	s := secrets{client: secretOf(bytes48), server: secretOf(bytes48)}
	client, server := s.schedule(tls.VersionTLS13, kernelSuites[tls.TLS_AES_256_GCM_SHA384], nil, 0, 0)
	one := func(info string) []byte {
		m := hmac.New(sha512.New384, bytes48)
		m.Write([]byte(info + "\x01"))
		return m.Sum(nil)
	}
	if key := one("\x00\x20\x09tls13 key\x00")[:32]; !bytes.Equal(client.key[:], key) || client.key != server.key {
		t.Errorf("key %x, want %x", client.key, key)
	}
	if iv := one("\x00\x0c\x08tls13 iv\x00")[:12]; !bytes.Equal(client.iv[:], iv) {
		t.Errorf("iv %x, want %x", client.iv, iv)
	}
}

// TestTheStructuresOfTheKernel has the fields of linux/tls.h one by one; version and cipher are in the machine's order.
func TestTheStructuresOfTheKernel(t *testing.T) {
	d := direction{seq: 0x0102030405060708}
	for i := range d.key {
		d.key[i] = 'k'
	}
	copy(d.iv[:], "SALTexplicit")
	const seq = "\x01\x02\x03\x04\x05\x06\x07\x08"
	key16, key32 := "kkkkkkkkkkkkkkkk", "kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk"
	for _, tc := range []struct {
		name    string
		version uint16
		suite   uint16
		want    string // behind the first four bytes
	}{
		{"tls12_crypto_info_aes_gcm_128, 1.3", tls.VersionTLS13, tls.TLS_AES_128_GCM_SHA256, "explicit" + key16 + "SALT" + seq},
		{"tls12_crypto_info_aes_gcm_256, 1.3", tls.VersionTLS13, tls.TLS_AES_256_GCM_SHA384, "explicit" + key32 + "SALT" + seq},
		{"tls12_crypto_info_chacha20_poly1305", tls.VersionTLS13, tls.TLS_CHACHA20_POLY1305_SHA256, "SALTexplicit" + key32 + seq},
		{"tls12_crypto_info_aes_gcm_128, 1.2", tls.VersionTLS12, tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, seq + key16 + "SALT" + seq},
		{"the same with ChaCha20, 1.2", tls.VersionTLS12, tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256, "SALTexplicit" + key32 + seq},
	} {
		b := appendKernelKeys(nil, tc.version, kernelSuites[tc.suite], &d)
		if string(b[4:]) != tc.want || len(b) > maxKernelKeys {
			t.Errorf("%s: %q, want %q", tc.name, b[4:], tc.want)
		}
		r, err := testkit.NewRecords(b)
		if err != nil || r.Version != tc.version {
			t.Errorf("%s: version %x, %v", tc.name, r.Version, err)
		}
	}
}

func TestTheKeyLogLeavesNothingBehind(t *testing.T) {
	random, value := bytes.Repeat([]byte{1}, 32), bytes.Repeat([]byte{2}, 48)
	line := []byte("CLIENT_RANDOM " + hex.EncodeToString(random) + " " + hex.EncodeToString(value) + "\n")
	var s secrets
	if n, err := s.Write(line); n != len(line) || err != nil {
		t.Error(n, err)
	}
	if !bytes.Equal(s.master.value(), value) || !bytes.Equal(s.clientRandom[:], random) {
		t.Errorf("kept %x, %x", s.master.value(), s.clientRandom)
	}
	if !bytes.Equal(line, make([]byte, len(line))) {
		t.Errorf("the line is still there: %q", line)
	}
	for _, other := range []string{"", "\n", "EXPORTER_SECRET x y\n", "CLIENT_RANDOM 00 11\n", "SERVER_TRAFFIC_SECRET_0\n",
		"CLIENT_TRAFFIC_SECRET_0 " + hex.EncodeToString(random) + " " + hex.EncodeToString(make([]byte, 49)) + "\n"} {
		s.Write([]byte(other))
	}
	if s.client.len != 0 || s.server.len != 0 || s.master.len != 48 {
		t.Error("a line that is none was taken")
	}
	tap := HandshakeTap{secrets: s}
	if tap.Wipe(); tap.secrets != (secrets{}) {
		t.Error("Wipe leaves something")
	}
}
