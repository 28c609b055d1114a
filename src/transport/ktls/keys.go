package ktls

import (
	"bytes"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/tls"
	"encoding/binary"
	"encoding/hex"
	"hash"
)

// The numbers of linux/tls.h. They are the same on all architectures.
const (
	tlsTX           = 1
	tlsRX           = 2
	tlsRXNoPad      = 4
	tlsSetType      = 1
	tlsGetType      = 2
	kernelAES128GCM = 51
	kernelAES256GCM = 52
	kernelChaCha    = 54
)

// kernelSuite is how the kernel encrypts the records of a cipher suite.
type kernelSuite struct {
	cipher uint16 // the kernel's number
	keyLen int
	hash   func() hash.Hash // of the key schedule
}

// kernelSuites are the cipher suites whose records the kernel can encrypt. The key exchange and the signature of a suite do not
// matter any more after the handshake.
var kernelSuites = map[uint16]kernelSuite{
	tls.TLS_AES_128_GCM_SHA256:       {kernelAES128GCM, 16, sha256.New},
	tls.TLS_AES_256_GCM_SHA384:       {kernelAES256GCM, 32, sha512.New384},
	tls.TLS_CHACHA20_POLY1305_SHA256: {kernelChaCha, 32, sha256.New},

	tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256:       {kernelAES128GCM, 16, sha256.New},
	tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256:         {kernelAES128GCM, 16, sha256.New},
	tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384:       {kernelAES256GCM, 32, sha512.New384},
	tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384:         {kernelAES256GCM, 32, sha512.New384},
	tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256: {kernelChaCha, 32, sha256.New},
	tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256:   {kernelChaCha, 32, sha256.New},
	tls.TLS_RSA_WITH_AES_128_GCM_SHA256:               {kernelAES128GCM, 16, sha256.New},
	tls.TLS_RSA_WITH_AES_256_GCM_SHA384:               {kernelAES256GCM, 32, sha512.New384},
}

// secrets is a writer for a key log (format SSLKEYLOGFILE, a line for each secret). It keeps the secrets from which the keys
// of the connection's data are derived.
type secrets struct {
	clientRandom   [32]byte
	master         secret // TLS 1.2
	client, server secret // TLS 1.3, application traffic
}

type secret struct {
	bytes [48]byte
	len   int
}

func (s *secret) value() []byte { return s.bytes[:s.len] }

// Write reads one line and overwrites it. Other writers must not do that, but crypto/tls makes the line for this one call and
// leaves it to the garbage collector.
func (s *secrets) Write(line []byte) (int, error) {
	label, rest, _ := bytes.Cut(line, []byte(" "))
	random, value, _ := bytes.Cut(bytes.TrimRight(rest, "\n"), []byte(" "))
	var keep *secret
	switch string(label) {
	case "CLIENT_RANDOM":
		keep = &s.master
	case "CLIENT_TRAFFIC_SECRET_0":
		keep = &s.client
	case "SERVER_TRAFFIC_SECRET_0":
		keep = &s.server
	}
	if keep != nil && len(random) == 2*len(s.clientRandom) && len(value) <= 2*len(keep.bytes) {
		hex.Decode(s.clientRandom[:], random)
		keep.len, _ = hex.Decode(keep.bytes[:], value)
	}
	n := len(line)
	clear(line)
	return n, nil
}

// complete reports whether the secrets of a version's data have been logged.
func (s *secrets) complete(version uint16) bool {
	if version == tls.VersionTLS13 {
		return s.client.len > 0 && s.server.len > 0
	}
	return s.master.len > 0
}

// direction is what the kernel must know to continue one direction of a connection.
type direction struct {
	key [32]byte
	iv  [12]byte // TLS 1.2 with GCM: the first 4 bytes, its salt
	seq uint64   // of the next record
}

// schedule derives the keys of TLS 1.3 (RFC 8446 section 7.3) or TLS 1.2 (RFC 5246 section 6.3). clientSeq and serverSeq
// matter to TLS 1.2 only: in 1.3 the keys of the data have not been used yet.
func (s *secrets) schedule(version uint16, suite kernelSuite, serverRandom []byte, clientSeq, serverSeq uint64) (client, server direction) {
	if version == tls.VersionTLS13 {
		s.client.traffic(suite, &client)
		s.server.traffic(suite, &server)
		return client, server
	}
	ivLen := 4
	if suite.cipher == kernelChaCha {
		ivLen = 12
	}
	var block [2 * (32 + 12)]byte
	s.expand(block[:], suite.hash, serverRandom)
	rest := block[:]
	for _, part := range [][]byte{client.key[:suite.keyLen], server.key[:suite.keyLen], client.iv[:ivLen], server.iv[:ivLen]} {
		rest = rest[copy(part, rest):]
	}
	clear(block[:])
	client.seq, server.seq = clientSeq, serverSeq
	return client, server
}

// traffic is HKDF-Expand-Label of key and iv, both with an empty context (RFC 8446 section 7.1).
func (s *secret) traffic(suite kernelSuite, d *direction) {
	for _, part := range []struct {
		label string
		out   []byte
	}{{"tls13 key", d.key[:suite.keyLen]}, {"tls13 iv", d.iv[:]}} {
		info := binary.BigEndian.AppendUint16(make([]byte, 0, 16), uint16(len(part.out)))
		info = append(append(append(info, byte(len(part.label))), part.label...), 0)
		value, err := hkdf.Expand(suite.hash, s.value(), string(info), len(part.out))
		if err != nil {
			panic(err) // only for a length beyond 255 hashes
		}
		copy(part.out, value)
		clear(value)
	}
}

// expand is TLS 1.2's PRF of the key block: P_hash(master, "key expansion" + server_random + client_random)
// (RFC 5246 section 5).
func (s *secrets) expand(out []byte, h func() hash.Hash, serverRandom []byte) {
	seed := append([]byte("key expansion"), serverRandom...)
	seed = append(seed, s.clientRandom[:]...)
	mac := hmac.New(h, s.master.value())
	mac.Write(seed)
	a := mac.Sum(nil)
	for len(out) > 0 {
		mac.Reset()
		mac.Write(a)
		mac.Write(seed)
		sum := mac.Sum(nil)
		out = out[copy(out, sum):]
		clear(sum)
		mac.Reset()
		mac.Write(a)
		a = mac.Sum(a[:0])
	}
}

// maxKernelKeys is the length of the longest structure that appendKernelKeys appends.
const maxKernelKeys = 4 + 8 + 32 + 4 + 8

// appendKernelKeys appends the structure tls12_crypto_info_* of linux/tls.h, which serves TLS 1.3 as well: version and cipher
// in the machine's byte order, then for GCM iv, key, salt and sequence number, and for ChaCha20-Poly1305 iv, key and sequence
// number.
func appendKernelKeys(b []byte, version uint16, suite kernelSuite, d *direction) []byte {
	b = binary.NativeEndian.AppendUint16(b, version)
	b = binary.NativeEndian.AppendUint16(b, suite.cipher)
	key := d.key[:suite.keyLen]
	switch {
	case suite.cipher == kernelChaCha:
		b = append(append(b, d.iv[:]...), key...)
	case version == tls.VersionTLS13:
		b = append(append(append(b, d.iv[4:]...), key...), d.iv[:4]...)
	default:
		// The explicit part of the nonce may be anything that is used only once (RFC 5288 section 3). The kernel counts it up.
		b = append(append(binary.BigEndian.AppendUint64(b, d.seq), key...), d.iv[:4]...)
	}
	return binary.BigEndian.AppendUint64(b, d.seq)
}
