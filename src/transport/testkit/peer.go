package testkit

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/tls"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"testing"

	"golang.org/x/crypto/chacha20poly1305"
	"golang.org/x/sys/unix"
)

// Peer is the server's end of a connection after the handshake, one record at a time.
type Peer struct {
	net.Conn
	t      testing.TB
	TX, RX *Records
	raw    []byte
}

// corked keeps what is written until somebody reads, so that the last flight of a handshake leaves with what follows it. It
// reads record by record, so that what follows the handshake stays in the socket.
type corked struct {
	net.Conn
	held   []byte
	begin  []byte // the first flight
	record []byte // what is left of the record that was read last
}

func (c *corked) Write(b []byte) (int, error) {
	c.held = append(c.held, b...)
	return len(b), nil
}

func (c *corked) Read(b []byte) (int, error) {
	if len(c.held) > 0 && c.begin == nil {
		c.begin = c.held
	}
	if _, err := c.Conn.Write(c.held); err != nil {
		return 0, err
	}
	c.held = nil
	if len(c.record) == 0 {
		c.record = make([]byte, recordHeaderLen)
		if _, err := io.ReadFull(c.Conn, c.record); err != nil {
			return 0, err
		}
		body := make([]byte, binary.BigEndian.Uint16(c.record[3:]))
		if _, err := io.ReadFull(c.Conn, body); err != nil {
			return 0, err
		}
		c.record = append(c.record, body...)
	}
	n := copy(b, c.record)
	c.record = c.record[n:]
	return n, nil
}

// Playing returns a server that shakes hands and leaves the rest to play. What play sends first leaves together with the
// handshake's last flight. It derives the keys of the Records by itself.
func Playing(t testing.TB, cfg *tls.Config, play func(*Peer)) func(net.Conn) {
	return func(conn net.Conn) {
		cork := &corked{Conn: conn}
		var log bytes.Buffer
		cfg := cfg.Clone()
		cfg.KeyLogWriter = &log
		session := tls.Server(cork, cfg)
		if err := session.Handshake(); err != nil {
			t.Errorf("the server's handshake: %v", err)
			return
		}
		p := &Peer{Conn: conn, t: t, raw: cork.held}
		p.RX, p.TX = keysFrom(t, log.String(), session.ConnectionState(), cork.begin)
		play(p)
		if len(p.raw) > 0 {
			conn.Write(p.raw)
		}
	}
}

// keysFrom derives the records of client and server from a key log; flight begins with the ServerHello.
func keysFrom(t testing.TB, log string, state tls.ConnectionState, flight []byte) (client, server *Records) {
	secrets := map[string][]byte{}
	var clientRandom []byte
	for line := range strings.Lines(log) {
		words := strings.Fields(line)
		clientRandom, _ = hex.DecodeString(words[1])
		secrets[words[0]], _ = hex.DecodeString(words[2])
	}
	hash, keyLen := sha256.New, 32
	name := tls.CipherSuiteName(state.CipherSuite)
	chacha := strings.Contains(name, "CHACHA20")
	if strings.Contains(name, "AES_128") {
		keyLen = 16
	}
	if strings.HasSuffix(name, "SHA384") {
		hash = sha512.New384
	}
	make13 := func(secret []byte) *Records {
		expand := func(label string, n int) []byte { // RFC 8446 section 7.1
			info := append([]byte{0, byte(n), byte(len("tls13 " + label))}, "tls13 "+label+"\x00"...)
			out, err := hkdf.Expand(hash, secret, string(info), n)
			if err != nil {
				t.Error(err)
			}
			return out
		}
		return newRecords(t, state.Version, chacha, expand("key", keyLen), expand("iv", 12), 0)
	}
	if state.Version == tls.VersionTLS13 {
		return make13(secrets["CLIENT_TRAFFIC_SECRET_0"]), make13(secrets["SERVER_TRAFFIC_SECRET_0"])
	}
	seed := append([]byte("key expansion"), flight[11:43]...) // the random of the ServerHello
	seed = append(seed, clientRandom...)
	sum := func(parts ...[]byte) []byte {
		m := hmac.New(hash, secrets["CLIENT_RANDOM"])
		for _, p := range parts {
			m.Write(p)
		}
		return m.Sum(nil)
	}
	var block []byte // RFC 5246 section 5
	for a := sum(seed); len(block) < 2*(32+12); a = sum(a) {
		block = append(block, sum(a, seed)...)
	}
	take := func(n int) []byte {
		part := block[:n]
		block = block[n:]
		return part
	}
	ivLen := 4
	if chacha {
		ivLen = 12
	}
	clientKey, serverKey := take(keyLen), take(keyLen)
	// Each side has sent one encrypted record, its Finished.
	return newRecords(t, state.Version, chacha, clientKey, take(ivLen), 1), newRecords(t, state.Version, chacha, serverKey, take(ivLen), 1)
}

// newRecords returns a direction with the given keys.
func newRecords(t testing.TB, version uint16, chacha bool, key, iv []byte, seq uint64) *Records {
	r := &Records{Version: version, chacha: chacha, iv: iv, seq: seq}
	var err error
	if chacha {
		r.aead, err = chacha20poly1305.New(key)
	} else {
		var block cipher.Block
		if block, err = aes.NewCipher(key); err == nil {
			r.aead, err = cipher.NewGCM(block)
		}
	}
	if err != nil {
		t.Error(err)
	}
	return r
}

// Send sends bytes as they are.
func (p *Peer) Send(b ...[]byte) {
	for _, b := range b {
		p.raw = append(p.raw, b...)
	}
	p.Conn.Write(p.raw)
	p.raw = nil
}

// SendData sends one record of data.
func (p *Peer) SendData(text string) { p.Send(p.TX.Seal(Data, []byte(text))) }

// Receive reads one record.
func (p *Peer) Receive() (kind byte, plain []byte, err error) {
	if len(p.raw) > 0 {
		p.Send()
	}
	var b []byte
	for {
		kind, plain, _, err := p.RX.open(b)
		if err != errMore {
			return kind, plain, err
		}
		want := recordHeaderLen - len(b)
		if want <= 0 {
			want = recordHeaderLen + int(binary.BigEndian.Uint16(b[3:])) - len(b)
		}
		more := make([]byte, want)
		if _, err := io.ReadFull(p.Conn, more); err != nil {
			return 0, nil, err
		}
		b = append(b, more...)
	}
}

// AwaitRequest waits for the HTTP request.
func (p *Peer) AwaitRequest() {
	if kind, b, err := p.Receive(); err != nil || kind != Data || len(b) == 0 {
		p.t.Errorf("instead of the request came a record of type %d: %q, %v", kind, b, err)
	}
}

// Over12 is a server's configuration for TLS 1.2 with some cipher suites.
func Over12(t testing.TB, suites ...uint16) *tls.Config {
	cfg := Presenting(SelfSigned(t, nil))
	cfg.MaxVersion, cfg.CipherSuites = tls.VersionTLS12, suites
	return cfg
}

// Over13 is a server's configuration for TLS 1.3.
func Over13(t testing.TB) *tls.Config {
	cfg := Presenting(SelfSigned(t, nil))
	cfg.MinVersion = tls.VersionTLS13
	return cfg
}

// SocketPair returns two connected sockets.
func SocketPair(t testing.TB) (ours, theirs net.Conn) {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	open := func(fd int) net.Conn {
		f := os.NewFile(uintptr(fd), "socket")
		defer f.Close()
		conn, err := net.FileConn(f)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		return conn
	}
	return open(fds[0]), open(fds[1])
}

// NewPeer returns the other end of a connection whose directions the kernel does with keys in the form of linux/tls.h.
func NewPeer(t testing.TB, conn net.Conn, tx, rx []byte) *Peer {
	t.Helper()
	p := &Peer{Conn: conn, t: t}
	var errTX, errRX error
	p.TX, errTX = NewRecords(tx)
	p.RX, errRX = NewRecords(rx)
	if err := errors.Join(errTX, errRX); err != nil {
		t.Fatal(err)
	}
	return p
}
