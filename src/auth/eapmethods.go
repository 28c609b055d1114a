package auth

import (
	"encoding/binary"
	"time"

	"sstp/src/fault"
)

// The OpCodes of EAP-MSCHAPv2 (draft-kamath-pppext-eap-mschapv2 section 2).
const (
	opChallenge = 1
	opResponse  = 2
	opSuccess   = 3
	opFailure   = 4
)

// mschapHeaderLen is the length of OpCode, MS-CHAPv2-ID and MS-Length.
const mschapHeaderLen = 4

// mschapPeer is EAP-MSCHAPv2: the exchange of RFC 2759 in EAP, with the verdict as one more Request.
type mschapPeer struct {
	cfg      *PeerConfig
	expected *proof // of the last challenge answered
	verified bool   // the server has shown it
}

// request handles the header that server and client share. Its MS-Length repeats EAP's Length and is ignored.
func (m *mschapPeer) request(now time.Time, _ uint8, data []byte) reply {
	if len(data) < mschapHeaderLen {
		return reply{note: "an EAP-MSCHAPv2 packet without its header"}
	}
	op, msID, body := data[0], data[1], data[mschapHeaderLen:]
	switch op {
	case opChallenge:
		return m.answer(msID, body)
	case opSuccess:
		if m.expected == nil || !m.expected.verify(body) {
			return reply{err: badProof(body)}
		}
		m.verified = true
		return reply{data: []byte{opSuccess}} // this byte alone: SoftEther demands it
	case opFailure:
		return reply{data: []byte{opFailure}, err: refusedWith(body), by: fault.Peer}
	}
	return reply{note: "an EAP-MSCHAPv2 packet that no server sends"}
}

func (m *mschapPeer) answer(msID uint8, body []byte) reply {
	challenge, _, ok := cutCounted(body)
	if !ok || len(challenge) != 16 {
		return reply{note: "a challenge of the wrong length"}
	}
	value, expected, err := answerMSCHAPv2(m.cfg.Rand, m.cfg.Username, m.cfg.Password, [16]byte(challenge))
	if err != nil {
		return reply{err: noRandom(err)}
	}
	m.close()
	m.expected = expected
	return reply{data: appendMSCHAP(opResponse, msID, counted(value[:]), []byte(m.cfg.Username))}
}

func (m *mschapPeer) proven() (hlak [32]byte, ok bool) {
	if !m.verified {
		return hlak, false
	}
	return m.expected.hlak, true
}

func (m *mschapPeer) refusal() *fault.Error { return nil }

func (m *mschapPeer) close() {
	if m.expected != nil {
		m.expected.wipe()
	}
	m.expected, m.verified = nil, false
}

// appendMSCHAP returns what follows the EAP type. MS-Length is EAP's Length minus 5.
func appendMSCHAP(op, msID uint8, parts ...[]byte) []byte {
	b := []byte{op, msID, 0, 0}
	for _, p := range parts {
		b = append(b, p...)
	}
	binary.BigEndian.PutUint16(b[2:], uint16(len(b)))
	return b
}

// md5Peer is EAP-MD5 (RFC 3748 section 5.4): CHAP-MD5 in EAP. The server proves nothing.
type md5Peer struct {
	cfg      *PeerConfig
	answered bool
}

func (m *md5Peer) request(now time.Time, id uint8, data []byte) reply {
	challenge, _, ok := cutCounted(data)
	if !ok || len(challenge) == 0 {
		return reply{note: "an EAP-MD5 challenge of the wrong length"}
	}
	value := md5Response(id, m.cfg.Password, challenge)
	m.answered = true
	return reply{data: append(counted(value[:]), m.cfg.Username...)}
}

func (m *md5Peer) proven() (hlak [32]byte, ok bool) { return hlak, m.answered }
func (m *md5Peer) refusal() *fault.Error            { return nil }
func (m *md5Peer) close()                           {}
