package transport

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"sync"
	"testing"

	"golang.org/x/crypto/chacha20poly1305"
	"golang.org/x/sys/unix"

	"sstp/src/config"
	"sstp/src/transport/testkit"
)

// records is one direction of a TLS connection after the handshake, made from the structure that the kernel gets.
type records struct {
	version uint16
	chacha  bool
	aead    cipher.AEAD
	iv      []byte // 12 bytes, TLS 1.2 with GCM: 4
	seq     uint64
}

// newRecords reads tls12_crypto_info_* as linux/tls.h has it.
func newRecords(keys []byte) (*records, error) {
	take := func(n int) []byte {
		if len(keys) < n {
			panic("a structure that is too short")
		}
		part := keys[:n:n]
		keys = keys[n:]
		return append([]byte(nil), part...)
	}
	r := &records{version: binary.NativeEndian.Uint16(take(2))}
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
		if r.iv = salt; r.version == tls.VersionTLS13 {
			r.iv = append(salt, explicit...)
		}
	case 54:
		r.chacha, r.iv = true, take(12)
		r.aead, err = chacha20poly1305.New(take(32))
	default:
		return nil, unix.EINVAL
	}
	r.seq = binary.BigEndian.Uint64(take(8))
	if len(keys) != 0 || (r.version != tls.VersionTLS12 && r.version != tls.VersionTLS13) {
		return nil, unix.EINVAL
	}
	return r, err
}

// nonce is RFC 8446 section 5.3, which RFC 7905 has for TLS 1.2 too, or RFC 5288 section 3.
func (r *records) nonce(explicit []byte) []byte {
	if len(r.iv) == 4 {
		return append(append([]byte(nil), r.iv...), explicit...)
	}
	nonce := append([]byte(nil), r.iv...)
	for i := range 8 {
		nonce[4+i] ^= byte(r.seq >> (56 - 8*i))
	}
	return nonce
}

// seal makes one record.
func (r *records) seal(kind byte, b []byte) []byte {
	defer func() { r.seq++ }()
	if r.version == tls.VersionTLS13 {
		inner := append(append([]byte(nil), b...), kind)
		head := binary.BigEndian.AppendUint16([]byte{recordData, 3, 3}, uint16(len(inner)+16))
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
func (r *records) open(b []byte) (kind byte, plain, rest []byte, err error) {
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
	if r.version == tls.VersionTLS13 {
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

// fakeKernel answers as Linux does, and does the records in Go.
type fakeKernel struct {
	mu                         sync.Mutex
	sockets                    map[int]*fakeSocket
	noTLS, noRX, noTX          error
	recvError, sendError       error
	attached, receives, shares int // how often each succeeded; shares: of both keys
}

type fakeSocket struct {
	tx, rx  *records
	raw     []byte // what was taken from the socket and is no whole record
	kind    byte
	plain   []byte // the rest of a record
	waiting bool   // there is such a rest, maybe empty
	failed  error
	unsent  []byte
}

func (k *fakeKernel) attach(fd int) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.noTLS != nil {
		return k.noTLS
	}
	if k.sockets == nil {
		k.sockets = map[int]*fakeSocket{}
	}
	k.sockets[fd] = &fakeSocket{}
	k.attached++
	return nil
}

func (k *fakeKernel) socket(fd int) *fakeSocket {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.sockets[fd]
}

func (k *fakeKernel) setKeys(fd, direction int, keys []byte) error {
	s := k.socket(fd)
	r, err := newRecords(keys)
	switch {
	case s == nil:
		return unix.ENOPROTOOPT
	case err != nil:
		return err
	case direction == tlsRX && k.noRX != nil:
		return k.noRX
	case direction == tlsTX && k.noTX != nil:
		return k.noTX
	case direction == tlsRX:
		s.rx = r
		k.receives++
	default:
		s.tx = r
		k.shares++
	}
	return nil
}

func (k *fakeKernel) recv(fd int, b []byte) (int, byte, error) {
	if k.recvError != nil {
		return 0, 0, k.recvError
	}
	s := k.socket(fd)
	n := 0
	for len(b) > n {
		if !s.waiting {
			if err := s.next(fd); err != nil {
				if n > 0 {
					return n, recordData, nil
				}
				if err == io.EOF {
					return 0, recordData, nil
				}
				return 0, 0, err
			}
		}
		if s.kind != recordData && n > 0 {
			break // what is of another type comes alone
		}
		got := copy(b[n:], s.plain)
		n += got
		if s.plain = s.plain[got:]; len(s.plain) == 0 {
			s.waiting = false
		}
		if s.kind != recordData {
			return n, s.kind, nil
		}
	}
	return n, recordData, nil
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

func (k *fakeKernel) send(fd int, b []byte) (int, error) {
	if k.sendError != nil {
		return 0, k.sendError
	}
	s := k.socket(fd)
	if err := s.flush(fd); err != nil {
		return 0, err
	}
	b = b[:min(len(b), 16384)]
	s.unsent = s.tx.seal(recordData, b)
	if err := s.flush(fd); err != nil && err != unix.EAGAIN {
		return 0, err
	}
	return len(b), nil
}

func (k *fakeKernel) sendTyped(fd int, b []byte, kind byte) error {
	s := k.socket(fd)
	if err := s.flush(fd); err != nil {
		return err
	}
	s.unsent = s.tx.seal(kind, b)
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

// scripted is the server's end of a connection after the handshake, one record at a time.
type scripted struct {
	net.Conn
	t      testing.TB
	tx, rx *records
	raw    []byte
}

// corked keeps what is written until somebody reads, so that the last flight of a handshake leaves with what follows it.
type corked struct {
	net.Conn
	held []byte
}

func (c *corked) Write(b []byte) (int, error) {
	c.held = append(c.held, b...)
	return len(b), nil
}

func (c *corked) Read(b []byte) (int, error) {
	if err := c.flush(); err != nil {
		return 0, err
	}
	return c.Conn.Read(b)
}

func (c *corked) flush() error {
	_, err := c.Conn.Write(c.held)
	c.held = nil
	return err
}

// playing returns a server that shakes hands and hands the rest to play. What play writes first leaves together with the
// handshake's last flight.
func playing(t testing.TB, cfg *tls.Config, play func(*scripted)) func(net.Conn) {
	return func(conn net.Conn) {
		cork := &corked{Conn: conn}
		w := &watched{stepwise: stepwise{Conn: cork}}
		cfg := cfg.Clone()
		cfg.KeyLogWriter = &w.secrets
		session := tls.Server(w, cfg)
		if err := session.Handshake(); err != nil {
			t.Errorf("the server's handshake: %v", err)
			return
		}
		state := session.ConnectionState()
		suite := kernelSuites[state.CipherSuite]
		random, _ := w.out.random()
		client, server := w.secrets.schedule(state.Version, suite, random, w.in.after, w.out.after)
		s := &scripted{Conn: conn, t: t}
		s.rx, _ = newRecords(appendKernelKeys(nil, state.Version, suite, &client))
		s.tx, _ = newRecords(appendKernelKeys(nil, state.Version, suite, &server))
		s.raw = cork.held // goes out with the first write
		play(s)
		if len(s.raw) > 0 {
			conn.Write(s.raw)
		}
	}
}

// write sends bytes as they are.
func (s *scripted) write(b ...[]byte) {
	for _, b := range b {
		s.raw = append(s.raw, b...)
	}
	s.Conn.Write(s.raw)
	s.raw = nil
}

// say sends one record of data.
func (s *scripted) say(text string) { s.write(s.tx.seal(recordData, []byte(text))) }

// hears reads one record.
func (s *scripted) hears() (kind byte, plain []byte, err error) {
	if len(s.raw) > 0 {
		s.write()
	}
	var b []byte
	for {
		kind, plain, _, err := s.rx.open(b)
		if err != errMore {
			return kind, plain, err
		}
		want := recordHeaderLen - len(b)
		if want <= 0 {
			want = recordHeaderLen + int(binary.BigEndian.Uint16(b[3:])) - len(b)
		}
		more := make([]byte, want)
		if _, err := io.ReadFull(s.Conn, more); err != nil {
			return 0, nil, err
		}
		b = append(b, more...)
	}
}

// request waits for the HTTP request.
func (s *scripted) request() {
	if kind, b, err := s.hears(); err != nil || kind != recordData || len(b) == 0 {
		s.t.Errorf("instead of the request came a record of type %d: %q, %v", kind, b, err)
	}
}

// over12 and over13 are the server's configuration for one version of TLS.
func over12(t testing.TB, suites ...uint16) *tls.Config {
	cfg := testkit.Presenting(testkit.SelfSigned(t, nil))
	cfg.MaxVersion, cfg.CipherSuites = tls.VersionTLS12, suites
	return cfg
}

func over13(t testing.TB) *tls.Config {
	cfg := testkit.Presenting(testkit.SelfSigned(t, nil))
	cfg.MinVersion = tls.VersionTLS13
	return cfg
}

// insisting are options that want the kernel's TLS, which is k.
func insisting(t testing.TB, handle func(net.Conn), k kernel) Options {
	o := unverified(testkit.Listen(t, handle))
	o.KTLS, o.kernel, o.Experience = config.On, k, &Experience{}
	return o
}
