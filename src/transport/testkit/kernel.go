package testkit

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"io"
	"sync"

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
