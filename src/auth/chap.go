package auth

import (
	"bytes"
	"crypto/md5"
	"crypto/subtle"
	"encoding/hex"
	"io"
	"strconv"
	"strings"
	"time"

	"sstp/src/fault"
)

// The codes of CHAP (RFC 1994 section 4).
const (
	chapChallenge = 1
	chapResponse  = 2
	chapSuccess   = 3
	chapFailure   = 4
)

// maxPending is how many answered challenges may wait for their verdict: a server that repeats its challenge may still
// send the verdict on the response before.
const maxPending = 4

// chapPeer answers challenges by CHAP-MD5 (RFC 1994) or MS-CHAPv2 (RFC 2759), at any time and each by itself.
type chapPeer struct {
	cfg     *PeerConfig
	ms      bool
	pending []pending // oldest first
	done    bool      // one success has counted
	ignored string
}

// pending is a challenge that was answered.
type pending struct {
	id    uint8
	proof *proof // MS-CHAPv2
}

func (p *chapPeer) start(now time.Time) []Action { return nil }

func (p *chapPeer) receive(now time.Time, packet []byte) []Action {
	code, id, body, ok := cut(packet)
	if !ok {
		return p.ignore("a CHAP packet shorter than it claims")
	}
	switch code {
	case chapChallenge:
		return p.answer(id, body)
	case chapSuccess:
		return p.success(id, body)
	case chapFailure:
		return p.failure(id, body)
	}
	return p.ignore("a CHAP packet that no server sends")
}

func (p *chapPeer) answer(id uint8, body []byte) []Action {
	challenge, _, ok := cutCounted(body)
	if !ok || len(challenge) == 0 || p.ms && len(challenge) != 16 {
		return p.ignore("a challenge of the wrong length")
	}
	var value []byte
	var expected *proof
	if p.ms {
		v, s, err := answerMSCHAPv2(p.cfg.Rand, p.cfg.Username, p.cfg.Password, [16]byte(challenge))
		if err != nil {
			return []Action{fail(noRandom(err))}
		}
		value, expected = v[:], s
	} else {
		v := md5Response(id, p.cfg.Password, challenge)
		value = v[:]
	}
	if len(p.pending) == maxPending {
		p.forget(1)
	}
	p.pending = append(p.pending, pending{id, expected})
	return []Action{send(assemble(chapResponse, id, counted(value), []byte(p.cfg.Username)))}
}

// success handles a Success. It counts for the response with its Id. Under MS-CHAPv2 the proof decides which of several
// responses with this Id it answers, and so which keys are right; without a right proof the server does not know the
// password (RFC 2759 section 5).
func (p *chapPeer) success(id uint8, message []byte) []Action {
	named := false
	for _, q := range p.pending {
		if q.id != id {
			continue
		}
		named = true
		if !p.ms {
			p.done = true
			p.forget(len(p.pending))
			return []Action{{Kind: Success, Method: CHAP}}
		}
		if q.proof.verify(message) {
			p.done = true
			do := []Action{{Kind: Success, Method: MSCHAPv2, HLAK: q.proof.hlak}}
			p.forget(len(p.pending))
			return do
		}
	}
	switch {
	case !named && len(p.pending) == 0 && !p.done:
		return []Action{fail(unproven("The server declared us logged in without asking for the password, so it does not know the password: it may be an attacker."))}
	case !named:
		return p.ignore("a Success that answers none of our responses")
	}
	return []Action{fail(badProof(message))}
}

// failure handles a Failure. It is final even if R= allows a retry: another try with the same password could lock the
// account.
func (p *chapPeer) failure(id uint8, message []byte) []Action {
	for _, q := range p.pending {
		if q.id != id {
			continue
		}
		var f *fault.Error
		if p.ms {
			f = refusedWith(message)
		} else {
			f = refused(message)
		}
		return []Action{denied(f)}
	}
	return p.ignore("a Failure that answers none of our responses")
}

// forget drops the n oldest challenges and their keys.
func (p *chapPeer) forget(n int) {
	for i := range n {
		if s := p.pending[i].proof; s != nil {
			s.wipe()
		}
	}
	p.pending = append(p.pending[:0], p.pending[n:]...)
}

func (p *chapPeer) ignore(why string) []Action {
	p.ignored = why
	return nil
}

func (p *chapPeer) advance(now time.Time) []Action { return nil }
func (p *chapPeer) deadline() time.Time            { return time.Time{} }
func (p *chapPeer) note() string                   { return p.ignored }
func (p *chapPeer) close()                         { p.forget(len(p.pending)) }

// md5Response is the response value of CHAP-MD5 (RFC 1994 section 4.1) and EAP-MD5 (RFC 3748 section 5.4).
func md5Response(id uint8, secret string, challenge []byte) [16]byte {
	b := make([]byte, 0, 1+len(secret)+len(challenge))
	b = append(b, id)
	b = append(b, secret...)
	b = append(b, challenge...)
	sum := md5.Sum(b)
	clear(b)
	return sum
}

// chapAuthenticator challenges by CHAP-MD5 (RFC 1994) or MS-CHAPv2 (RFC 2759).
type chapAuthenticator struct {
	cfg     *AuthenticatorConfig
	ms      bool
	id      uint8
	value   [16]byte
	waiting transmission
	verdict []byte // sent in answer to the response; a repeated response gets it again
	ignored string
}

func (c *chapAuthenticator) start(now time.Time) []Action { return c.challenge(now) }

func (c *chapAuthenticator) challenge(now time.Time) []Action {
	if _, err := io.ReadFull(c.cfg.Rand, c.value[:]); err != nil {
		return []Action{fail(noRandom(err))}
	}
	c.id, c.verdict = c.cfg.NextID(), nil
	return c.waiting.begin(now, assemble(chapChallenge, c.id, counted(c.value[:]), []byte(c.cfg.Name)))
}

func (c *chapAuthenticator) receive(now time.Time, packet []byte) []Action {
	code, id, body, ok := cut(packet)
	value, name, okValue := cutCounted(body)
	if !ok || !okValue || code != chapResponse || id != c.id {
		c.ignored = "a CHAP packet that does not respond to the challenge"
		return nil
	}
	if c.verdict != nil {
		return []Action{send(bytes.Clone(c.verdict))}
	}
	c.waiting.end()
	good, hlak, text := c.judge(id, value, string(name))
	if !good {
		c.verdict = assemble(chapFailure, id, []byte(text))
		return []Action{send(c.verdict), fail(clientRefused(c.cfg, string(name)))}
	}
	c.verdict = assemble(chapSuccess, id, []byte(text))
	method := CHAP
	if c.ms {
		method = MSCHAPv2
	}
	return []Action{
		send(bytes.Clone(c.verdict)),
		{Kind: Success, Method: method, HLAK: hlak, User: string(name)},
	}
}

func (c *chapAuthenticator) judge(id uint8, value []byte, name string) (good bool, hlak [32]byte, text string) {
	if c.ms {
		return judgeMSCHAPv2(c.cfg, c.value, value, name)
	}
	secret, known := c.cfg.Secret(name)
	want := md5Response(id, secret, c.value[:])
	if !known || c.cfg.FailCode != 0 || subtle.ConstantTimeCompare(value, want[:]) != 1 {
		return false, hlak, c.cfg.failMessage()
	}
	return true, hlak, "Welcome"
}

func (c *chapAuthenticator) advance(now time.Time) []Action {
	algorithm := uint8(algorithmMD5)
	if c.ms {
		algorithm = algorithmMSCHAPv2
	}
	return c.waiting.advance(now, LCPAuth{protocolCHAP, algorithm})
}

func (c *chapAuthenticator) deadline() time.Time { return c.waiting.nextAt }
func (c *chapAuthenticator) note() string        { return c.ignored }
func (c *chapAuthenticator) close()              { c.waiting.end() }

// judgeMSCHAPv2 checks a Response's Value and returns the text of the verdict: the server's proof, or why not
// (RFC 2759 sections 5 and 6).
func judgeMSCHAPv2(cfg *AuthenticatorConfig, challenge [16]byte, value []byte, name string) (good bool, hlak [32]byte,
	text string) {

	secret, known := cfg.Secret(name)
	hash := NtPasswordHash(secret)
	defer clear(hash[:])
	if len(value) != responseLen {
		return false, hlak, failureText(cfg, challenge, 691)
	}
	peerChallenge, response := [16]byte(value), [24]byte(value[24:])
	want := GenerateNTResponse(challenge, peerChallenge, name, hash)
	switch right := subtle.ConstantTimeCompare(response[:], want[:]) == 1; {
	case cfg.FailCode != 0:
		return false, hlak, failureText(cfg, challenge, cfg.FailCode)
	case !known || !right:
		return false, hlak, failureText(cfg, challenge, 691)
	}
	hlak = MSCHAPv2HLAK(hash, response)
	if cfg.SkipProof {
		return true, hlak, "M=Welcome"
	}
	if cfg.WrongProof {
		hash[0]++
	}
	proof := GenerateAuthenticatorResponse(hash, response, peerChallenge, challenge, name)
	return true, hlak, string(proof[:]) + " M=Welcome"
}

func failureText(cfg *AuthenticatorConfig, challenge [16]byte, code int) string {
	return "E=" + strconv.Itoa(code) + " R=0 C=" + strings.ToUpper(hex.EncodeToString(challenge[:])) + " V=3 M=" +
		cfg.failMessage()
}
