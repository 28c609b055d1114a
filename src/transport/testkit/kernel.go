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
	"sync"
	"testing"

	"golang.org/x/crypto/chacha20poly1305"
	"golang.org/x/sys/unix"
)

// The types of TLS records (RFC 8446 section 5.1).
const (
	ChangeCipherSpec = 20
	Alert            = 21
	Handshake        = 22
	Data             = 23
)

// The handshake messages that may come after the handshake (RFC 8446 section 4.6, RFC 5246 section 7.4.1.1).
const (
	HelloRequest = 0
	NewTicket    = 4
	KeyUpdate    = 24
)

const recordHeaderLen = 5

// The directions of linux/tls.h.
const (
	tlsTX = 1
	tlsRX = 2
)

// Records is one direction of a TLS connection after the handshake, made from the structure that the kernel gets.
type Records struct {
	Version uint16
	chacha  bool
	aead    cipher.AEAD
	iv      []byte // 12 bytes, TLS 1.2 with GCM: 4
	seq     uint64
}

// NewRecords reads tls12_crypto_info_* as linux/tls.h has it.
func NewRecords(keys []byte) (*Records, error) {
	take := func(n int) []byte {
		if len(keys) < n {
			panic("a structure that is too short")
		}
		part := keys[:n:n]
		keys = keys[n:]
		return append([]byte(nil), part...)
	}
	r := &Records{Version: binary.NativeEndian.Uint16(take(2))}
	number := binary.NativeEndian.Uint16(take(2))
	var err error
	switch number {
	case 51, 52:
		explicit, key, salt := take(8), take(map[uint16]int{51: 16, 52: 32}[number]), take(4)
		block, blockErr := aes.NewCipher(key)
		if blockErr != nil {
			return nil, blockErr
		}
		r.aead, err = cipher.NewGCM(block)
		if r.iv = salt; r.Version == tls.VersionTLS13 {
			r.iv = append(salt, explicit...)
		}
	case 54:
		r.chacha, r.iv = true, take(12)
		r.aead, err = chacha20poly1305.New(take(32))
	default:
		return nil, unix.EINVAL
	}
	r.seq = binary.BigEndian.Uint64(take(8))
	if len(keys) != 0 || (r.Version != tls.VersionTLS12 && r.Version != tls.VersionTLS13) {
		return nil, unix.EINVAL
	}
	return r, err
}

// nonce is RFC 8446 section 5.3, which RFC 7905 has for TLS 1.2 too, or RFC 5288 section 3.
func (r *Records) nonce(explicit []byte) []byte {
	if len(r.iv) == 4 {
		return append(append([]byte(nil), r.iv...), explicit...)
	}
	nonce := append([]byte(nil), r.iv...)
	for i := range 8 {
		nonce[4+i] ^= byte(r.seq >> (56 - 8*i))
	}
	return nonce
}

// Seal makes one record.
func (r *Records) Seal(kind byte, b []byte) []byte {
	defer func() { r.seq++ }()
	if r.Version == tls.VersionTLS13 {
		inner := append(append([]byte(nil), b...), kind)
		head := binary.BigEndian.AppendUint16([]byte{Data, 3, 3}, uint16(len(inner)+16))
		return r.aead.Seal(head, r.nonce(nil), inner, head)
	}
	var explicit []byte
	if !r.chacha {
		explicit = binary.BigEndian.AppendUint64(nil, r.seq^0x5555)
	}
	extra := binary.BigEndian.AppendUint64(nil, r.seq)
	extra = binary.BigEndian.AppendUint16(append(extra, kind, 3, 3), uint16(len(b)))
	head := binary.BigEndian.AppendUint16([]byte{kind, 3, 3}, uint16(len(explicit)+len(b)+16))
	return r.aead.Seal(append(head, explicit...), r.nonce(explicit), b, extra)
}

var errMore = errors.New("not a whole record yet")

// open takes the first record of b.
func (r *Records) open(b []byte) (kind byte, plain, rest []byte, err error) {
	if len(b) < recordHeaderLen {
		return 0, nil, b, errMore
	}
	n := int(binary.BigEndian.Uint16(b[3:]))
	switch {
	case b[1] != 3 || b[2] != 3:
		return 0, nil, b, unix.EINVAL
	case n > 16384+256:
		return 0, nil, b, unix.EMSGSIZE
	case len(b) < recordHeaderLen+n:
		return 0, nil, b, errMore
	}
	head, body, rest := b[:recordHeaderLen], b[recordHeaderLen:][:n], b[recordHeaderLen+n:]
	if n < 16 || n < 16+8 && len(r.iv) == 4 {
		return 0, nil, b, unix.EBADMSG
	}
	if r.Version == tls.VersionTLS13 {
		plain, err = r.aead.Open(nil, r.nonce(nil), body, head)
		for len(plain) > 0 && plain[len(plain)-1] == 0 {
			plain = plain[:len(plain)-1]
		}
		if err != nil || len(plain) == 0 {
			return 0, nil, b, unix.EBADMSG
		}
		kind, plain = plain[len(plain)-1], plain[:len(plain)-1]
	} else {
		var explicit []byte
		if !r.chacha {
			explicit, body = body[:8], body[8:]
		}
		extra := binary.BigEndian.AppendUint64(nil, r.seq)
		extra = binary.BigEndian.AppendUint16(append(extra, head[:3]...), uint16(len(body)-16))
		if plain, err = r.aead.Open(nil, r.nonce(explicit), body, extra); err != nil {
			return 0, nil, b, unix.EBADMSG
		}
		kind = head[0]
	}
	r.seq++
	return kind, plain, rest, nil
}

// FakeKernel answers as Linux does, and does the Records in Go.
type FakeKernel struct {
	mu                      sync.Mutex
	sockets                 map[int]*fakeSocket
	NoTLS, NoRX, NoTX       error
	ReceiveError, SendError error
	Attached, Shared        int // how often TLS was attached, and both keys set
}

type fakeSocket struct {
	tx, rx  *Records
	raw     []byte // what was taken from the socket and is no whole record
	kind    byte
	plain   []byte // the rest of a record
	waiting bool   // there is such a rest, maybe empty
	failed  error
	unsent  []byte
}

func (k *FakeKernel) Attach(fd int) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.NoTLS != nil {
		return k.NoTLS
	}
	if k.sockets == nil {
		k.sockets = map[int]*fakeSocket{}
	}
	k.sockets[fd] = &fakeSocket{}
	k.Attached++
	return nil
}

func (k *FakeKernel) socket(fd int) *fakeSocket {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.sockets[fd]
}

func (k *FakeKernel) SetKeys(fd, direction int, keys []byte) error {
	s := k.socket(fd)
	r, err := NewRecords(keys)
	switch {
	case s == nil:
		return unix.ENOPROTOOPT
	case err != nil:
		return err
	case direction == tlsRX && k.NoRX != nil:
		return k.NoRX
	case direction == tlsTX && k.NoTX != nil:
		return k.NoTX
	case direction == tlsRX:
		s.rx = r
	default:
		s.tx = r
		k.Shared++
	}
	return nil
}

func (k *FakeKernel) Receive(fd int, b []byte) (int, byte, error) {
	if k.ReceiveError != nil {
		return 0, 0, k.ReceiveError
	}
	s := k.socket(fd)
	n := 0
	for len(b) > n {
		if !s.waiting {
			if err := s.next(fd); err != nil {
				if n > 0 {
					return n, Data, nil
				}
				if err == io.EOF {
					return 0, Data, nil
				}
				return 0, 0, err
			}
		}
		if s.kind != Data && n > 0 {
			break // what is of another type comes alone
		}
		got := copy(b[n:], s.plain)
		n += got
		if s.plain = s.plain[got:]; len(s.plain) == 0 {
			s.waiting = false
		}
		if s.kind != Data {
			return n, s.kind, nil
		}
	}
	return n, Data, nil
}

// next takes the next record out of the socket.
func (s *fakeSocket) next(fd int) error {
	for s.failed == nil {
		kind, plain, rest, err := s.rx.open(s.raw)
		if err == nil {
			s.raw, s.kind, s.plain, s.waiting = rest, kind, plain, true
			return nil
		}
		if err != errMore {
			s.failed = err
			break
		}
		more := make([]byte, 4096)
		n, err := unix.Read(fd, more)
		if err != nil {
			return err
		}
		if n == 0 {
			return io.EOF
		}
		s.raw = append(s.raw, more[:n]...)
	}
	return s.failed
}

func (k *FakeKernel) Send(fd int, b []byte) (int, error) {
	if k.SendError != nil {
		return 0, k.SendError
	}
	s := k.socket(fd)
	if err := s.flush(fd); err != nil {
		return 0, err
	}
	b = b[:min(len(b), 16384)]
	s.unsent = s.tx.Seal(Data, b)
	if err := s.flush(fd); err != nil && err != unix.EAGAIN {
		return 0, err
	}
	return len(b), nil
}

func (k *FakeKernel) SendTyped(fd int, b []byte, kind byte) error {
	s := k.socket(fd)
	if err := s.flush(fd); err != nil {
		return err
	}
	s.unsent = s.tx.Seal(kind, b)
	err := s.flush(fd)
	if err == unix.EAGAIN {
		err = nil // the kernel has it and sends it when it can
	}
	return err
}

func (s *fakeSocket) flush(fd int) error {
	for len(s.unsent) > 0 {
		n, err := unix.Write(fd, s.unsent)
		if err != nil {
			return err
		}
		s.unsent = s.unsent[n:]
	}
	return nil
}

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
