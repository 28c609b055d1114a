package auth

import (
	"crypto/des"
	"crypto/sha1"
	"crypto/subtle"
	"encoding/binary"
	"encoding/hex"
	"io"
	"strings"
	"unicode/utf16"

	"golang.org/x/crypto/md4" //lint:ignore SA1019 MS-CHAPv2 is made of MD4 (RFC 2759 section 8.3); there is no other hash to choose
)

// The constants of RFC 2759 section 8.7 and RFC 3079 section 3.3, letter by letter.
const (
	magicSigning = "Magic server to client signing constant"
	magicPad     = "Pad to make it do more than one iteration"
	magicMaster  = "This is the MPPE Master Key"
	magicSend    = "On the client side, this is the send key; on the server side, it is the receive key."
	magicReceive = "On the client side, this is the receive key; on the server side, it is the send key."
)

// StripDomain returns the name without the domain before its last backslash: MS-CHAPv2 hashes the user name alone
// (RFC 2759 section 4), while the Name field carries what the user typed. A suffix as in user@realm stays.
func StripDomain(name string) string {
	return name[strings.LastIndexByte(name, '\\')+1:]
}

// NtPasswordHash returns MD4 of the password in UTF-16LE (RFC 2759 section 8.3).
func NtPasswordHash(password string) (hash [16]byte) {
	var units [2]uint16
	text := make([]byte, 0, 2*len(password)) // a byte of UTF-8 makes at most one unit
	for _, r := range password {
		for _, u := range utf16.AppendRune(units[:0], r) {
			text = binary.LittleEndian.AppendUint16(text, u)
		}
	}
	h := md4.New()
	h.Write(text)
	h.Sum(hash[:0])
	clear(text)
	return hash
}

// HashNtPasswordHash returns MD4 of the hash (RFC 2759 section 8.4).
func HashNtPasswordHash(hash [16]byte) (hashHash [16]byte) {
	h := md4.New()
	h.Write(hash[:])
	h.Sum(hashHash[:0])
	return hashHash
}

// ChallengeHash returns the hash of both challenges and the user name without its domain (RFC 2759 section 8.2).
func ChallengeHash(peerChallenge, authChallenge [16]byte, user string) (hash [8]byte) {
	h := sha1.New()
	h.Write(peerChallenge[:])
	h.Write(authChallenge[:])
	io.WriteString(h, user)
	copy(hash[:], h.Sum(nil))
	return hash
}

// ChallengeResponse encrypts the challenge with the three DES keys that the hash makes (RFC 2759 section 8.5).
func ChallengeResponse(challenge [8]byte, hash [16]byte) (response [24]byte) {
	var keys [21]byte
	copy(keys[:], hash[:])
	for i := range 3 {
		key := desKey([7]byte(keys[7*i:]))
		c, err := des.NewCipher(key[:])
		if err != nil {
			panic("auth: crypto/des refuses a key of 8 bytes: " + err.Error())
		}
		c.Encrypt(response[8*i:], challenge[:])
		clear(key[:])
	}
	clear(keys[:])
	return response
}

// desKey spreads 56 bits over the upper seven bits of eight bytes; the lowest bit is parity, which DES ignores
// (RFC 2759 section 8.6).
func desKey(k [7]byte) (key [8]byte) {
	var all [8]byte
	copy(all[1:], k[:])
	bits := binary.BigEndian.Uint64(all[:])
	for i := range key {
		key[i] = byte(bits>>(49-7*i)) << 1
	}
	return key
}

// GenerateNTResponse returns the client's proof that it knows the password with this hash (RFC 2759 section 8.1). The
// user name is hashed without its domain.
func GenerateNTResponse(authChallenge, peerChallenge [16]byte, user string, hash [16]byte) [24]byte {
	return ChallengeResponse(ChallengeHash(peerChallenge, authChallenge, StripDomain(user)), hash)
}

// GenerateAuthenticatorResponse returns the server's proof that it knows the password with this hash: "S=" and 40
// digits (RFC 2759 section 8.7). The user name is hashed without its domain.
func GenerateAuthenticatorResponse(hash [16]byte, ntResponse [24]byte, peerChallenge, authChallenge [16]byte,
	user string) (proof [42]byte) {

	hashHash := HashNtPasswordHash(hash)
	challenge := ChallengeHash(peerChallenge, authChallenge, StripDomain(user))
	h := sha1.New()
	h.Write(hashHash[:])
	h.Write(ntResponse[:])
	io.WriteString(h, magicSigning)
	digest := h.Sum(nil)
	h.Reset()
	h.Write(digest)
	h.Write(challenge[:])
	io.WriteString(h, magicPad)
	copy(proof[:], "S="+strings.ToUpper(hex.EncodeToString(h.Sum(nil))))
	clear(hashHash[:])
	return proof
}

// MasterKey returns the key from which both directions' keys come (GetMasterKey, RFC 3079 section 3.3).
func MasterKey(hashHash [16]byte, ntResponse [24]byte) (key [16]byte) {
	h := sha1.New()
	h.Write(hashHash[:])
	h.Write(ntResponse[:])
	io.WriteString(h, magicMaster)
	copy(key[:], h.Sum(nil))
	return key
}

// StartKeys returns the keys with which the client sends and receives, of 128 bits (GetAsymmetricStartKey, RFC 3079
// section 3.3). The server's are the same two with the names exchanged.
func StartKeys(master [16]byte) (clientSend, clientReceive [16]byte) {
	return startKey(master, magicSend), startKey(master, magicReceive)
}

func startKey(master [16]byte, magic string) (key [16]byte) {
	var pad1, pad2 [40]byte
	for i := range pad2 {
		pad2[i] = 0xf2
	}
	h := sha1.New()
	h.Write(master[:])
	h.Write(pad1[:])
	io.WriteString(h, magic)
	h.Write(pad2[:])
	copy(key[:], h.Sum(nil))
	return key
}

// MSCHAPv2HLAK returns the higher layer authentication key of an MS-CHAPv2 exchange: the client's send key, then its
// receive key ([MS-SSTP] 3.2.5.2; the server puts its receive key first, which is the same).
func MSCHAPv2HLAK(hash [16]byte, ntResponse [24]byte) (hlak [32]byte) {
	hashHash := HashNtPasswordHash(hash)
	master := MasterKey(hashHash, ntResponse)
	clientSend, clientReceive := StartKeys(master)
	copy(hlak[:16], clientSend[:])
	copy(hlak[16:], clientReceive[:])
	clear(hashHash[:])
	clear(master[:])
	clear(clientSend[:])
	clear(clientReceive[:])
	return hlak
}

// responseLen is the length of a Response's Value: peer challenge, 8 reserved bytes, NT-Response, flags (RFC 2759
// section 4).
const responseLen = 49

// proof is what the client keeps of a challenge that it answered: what the server must show, and the key.
type proof struct {
	want [42]byte
	hlak [32]byte
}

// answerMSCHAPv2 returns the Response to a challenge and what the server must show for it.
func answerMSCHAPv2(random io.Reader, name, password string, authChallenge [16]byte) ([responseLen]byte, *proof, error) {
	var value [responseLen]byte
	var peerChallenge [16]byte
	if _, err := io.ReadFull(random, peerChallenge[:]); err != nil {
		return value, nil, err
	}
	hash := NtPasswordHash(password)
	nt := GenerateNTResponse(authChallenge, peerChallenge, name, hash)
	p := &proof{
		want: GenerateAuthenticatorResponse(hash, nt, peerChallenge, authChallenge, name),
		hlak: MSCHAPv2HLAK(hash, nt),
	}
	clear(hash[:])
	copy(value[:16], peerChallenge[:])
	copy(value[24:48], nt[:])
	return value, p, nil
}

// verify reports whether a Success message begins with the right proof. What follows is free text: accel-ppp adds
// " M=Authentication succeeded".
func (p *proof) verify(message []byte) bool {
	return len(message) >= len(p.want) && subtle.ConstantTimeCompare(message[:len(p.want)], p.want[:]) == 1
}

// wipe forgets the key.
func (p *proof) wipe() { clear(p.hlak[:]) }
