package auth

import (
	"bytes"
	"crypto/subtle"
	"encoding/hex"
	"io"
	"strconv"
	"strings"
	"time"
)

// chapAuthenticator challenges by CHAP-MD5 (RFC 1994) or MS-CHAPv2 (RFC 2759).
type chapAuthenticator struct {
	cfg     *AuthenticatorConfig
	ms      bool
	id      uint8
	value   [16]byte
	waiting transmission
	verdict []byte // sent on the response to the current challenge; a repeated response gets it again
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

func (c *chapAuthenticator) deadline() time.Time { return c.waiting.again }
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
