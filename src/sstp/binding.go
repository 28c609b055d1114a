package sstp

import (
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/binary"
	"hash"
)

// HashProtocol is the hash of the crypto binding ([MS-SSTP] 2.2.9). As the bitmask of a CALL_CONNECT_ACK it names all
// hashes that the server accepts.
type HashProtocol uint8

// The hash protocols.
const (
	HashSHA1   HashProtocol = 1
	HashSHA256 HashProtocol = 2
)

// String returns the hash's name.
func (p HashProtocol) String() string {
	switch p {
	case HashSHA1:
		return "SHA-1"
	case HashSHA256:
		return "SHA-256"
	}
	return "none"
}

// choose returns the best hash of a bitmask, or 0 if we know none of them ([MS-SSTP] 3.2.5.2).
func (p HashProtocol) choose() HashProtocol {
	switch {
	case p&HashSHA256 != 0:
		return HashSHA256
	case p&HashSHA1 != 0:
		return HashSHA1
	}
	return 0
}

func (p HashProtocol) newHash() hash.Hash {
	if p == HashSHA1 {
		return sha1.New()
	}
	return sha256.New()
}

// HLAK is the Higher-Layer Authentication Key ([MS-SSTP] 3.2.5.2.2), which the login makes. It is zero after a login that
// makes no keys (PAP, CHAP).
type HLAK [32]byte

// The layout of a CALL_CONNECTED ([MS-SSTP] 2.2.11): header and type, then one Crypto Binding attribute. Hashes shorter
// than their 32 bytes of room are followed by zeros.
const (
	callConnectedLen = 112
	offsetProtocol   = 15
	offsetNonce      = 16
	offsetCertHash   = 48
	offsetMAC        = 80

	bindingValueLen = callConnectedLen - controlHeaderLen - attributeHeaderLen
)

// cmkSeed is the seed of the key derivation ([MS-SSTP] 3.2.5.2.3), without a terminating zero.
const cmkSeed = "SSTP inner method derived CMK"

// AppendCallConnected appends the CALL_CONNECTED that binds the TLS connection on which leafDER, the server's
// certificate as it came over the wire, was presented, to the login that made hlak. proto is one hash, never a mask.
func AppendCallConnected(dst []byte, proto HashProtocol, nonce [32]byte, leafDER []byte, hlak HLAK) []byte {
	return appendBinding(dst, proto, nonce, certHash(proto, leafDER), hlak)
}

func appendBinding(dst []byte, proto HashProtocol, nonce [32]byte, certHash []byte, hlak HLAK) []byte {
	start := len(dst)
	dst = append(dst,
		version10, flagC, 0, callConnectedLen,
		0, byte(CallConnected), 0, 1,
		0, byte(CryptoBinding), 0, attributeHeaderLen+bindingValueLen,
		0, 0, 0, byte(proto))
	dst = append(dst, nonce[:]...)
	dst = append(dst, make([]byte, callConnectedLen-offsetCertHash)...)
	msg := dst[start:]
	copy(msg[offsetCertHash:offsetMAC], certHash)
	copy(msg[offsetMAC:], compoundMAC(proto, hlak, msg))
	return dst
}

func certHash(proto HashProtocol, leafDER []byte) []byte {
	h := proto.newHash()
	h.Write(leafDER)
	return h.Sum(nil)
}

// compoundMAC returns the MAC over a CALL_CONNECTED whose MAC field is zero ([MS-SSTP] 3.2.5.2.3), keyed with the
// Compound MAC Key. The key's derivation ends after its first block, T1, as that is as long as the key.
func compoundMAC(proto HashProtocol, hlak HLAK, msg []byte) []byte {
	derive := hmac.New(proto.newHash, hlak[:])
	derive.Write([]byte(cmkSeed))
	// The length of the key is the one little-endian number of the protocol.
	derive.Write(binary.LittleEndian.AppendUint16(nil, uint16(derive.Size())))
	derive.Write([]byte{1})
	cmk := derive.Sum(nil)
	defer clear(cmk)
	mac := hmac.New(proto.newHash, cmk)
	mac.Write(msg)
	return mac.Sum(nil)
}

// BindingError names the wrong part of a client's CALL_CONNECTED and the Status Info that answers it.
type BindingError struct {
	Part      string
	Attribute AttributeID
	Status    Status
}

// Error names the wrong part.
func (e *BindingError) Error() string { return "crypto binding: " + e.Part }

func bindingShape(part string) error {
	return &BindingError{Part: part, Attribute: StatusInfoID, Status: StatusAttribNotSupportedInMsg}
}

func bindingValue(part string) error {
	return &BindingError{Part: part, Attribute: CryptoBinding, Status: StatusValueNotSupported}
}

// VerifyCallConnected is the server's check of a client's CALL_CONNECTED ([MS-SSTP] 3.3.5.2.3): one of the hashes of
// mask, our nonce, our certificate and the keys of the login. The error is a *BindingError.
func VerifyCallConnected(pkt []byte, mask HashProtocol, nonce [32]byte, leafDER []byte, hlak HLAK) error {
	if err := checkBindingShape(pkt); err != nil {
		return err
	}
	proto := HashProtocol(pkt[offsetProtocol])
	if proto != HashSHA1 && proto != HashSHA256 || proto&mask == 0 {
		return bindingValue("the hash protocol is not one that was offered")
	}
	if !hmac.Equal(pkt[offsetNonce:offsetCertHash], nonce[:]) {
		return bindingValue("the nonce is not ours")
	}
	sum := certHash(proto, leafDER)
	if !hmac.Equal(pkt[offsetCertHash:offsetCertHash+len(sum)], sum) {
		return bindingValue("the client saw another certificate than ours")
	}
	// The MAC is over the message as it came, reserved bytes included.
	var msg [callConnectedLen]byte
	copy(msg[:offsetMAC], pkt)
	mac := compoundMAC(proto, hlak, msg[:])
	if !hmac.Equal(pkt[offsetMAC:offsetMAC+len(mac)], mac) {
		return bindingValue("the compound MAC is wrong: the client derived other keys from the login")
	}
	return nil
}

// checkBindingShape checks what can be checked of a CALL_CONNECTED before the login is over.
func checkBindingShape(pkt []byte) error {
	m, err := ParseControl(pkt)
	if err != nil {
		return bindingShape(err.Error())
	}
	a, ok := m.Find(CryptoBinding)
	switch {
	case m.Type != CallConnected:
		return bindingShape("the message is no CALL_CONNECTED")
	case !ok:
		return bindingShape("the attribute is missing")
	case len(a.Value) != bindingValueLen || len(pkt) != callConnectedLen:
		return bindingShape("the length is wrong")
	}
	return nil
}
