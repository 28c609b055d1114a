package auth

import (
	"time"

	"sstp/src/fault"
)

// md5Peer is EAP-MD5 (RFC 3748 section 5.4): CHAP-MD5 in EAP. The server shows nothing in turn.
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
