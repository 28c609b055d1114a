package auth

import (
	"crypto/subtle"
	"time"
)

// The codes of PAP (RFC 1334 section 2.2).
const (
	papRequest = 1
	papAck     = 2
	papNak     = 3
)

// papPeer sends name and password until it gets an answer (RFC 1334 section 2). The server proves nothing.
type papPeer struct {
	cfg     *PeerConfig
	sent    [256]bool // the Ids under which we asked: a slow server's answer may be one to an earlier request
	times   int
	nextAt  time.Time
	ignored string
}

func (p *papPeer) start(now time.Time) []Action { return p.advance(now) }

func (p *papPeer) advance(now time.Time) []Action {
	if p.times == maxTransmissions {
		return []Action{fail(silent("server", LCPAuth{Protocol: protocolPAP}))}
	}
	p.times++
	p.nextAt = now.Add(restartInterval)
	id := p.cfg.NextID()
	p.sent[id] = true
	return []Action{send(assemble(papRequest, id, counted([]byte(p.cfg.Username)), counted([]byte(p.cfg.Password))))}
}

func (p *papPeer) receive(now time.Time, packet []byte) []Action {
	code, id, body, ok := cut(packet)
	if !ok || !p.sent[id] {
		p.ignored = "a PAP packet that answers none of ours"
		return nil
	}
	switch code {
	case papAck:
		p.nextAt = time.Time{}
		return []Action{{Kind: Success, Method: PAP}}
	case papNak:
		// SoftEther and RouterOS leave the message out, with its length.
		text, _, ok := cutCounted(body)
		if !ok {
			text = nil
		}
		return []Action{denied(refused(text))}
	}
	p.ignored = "a PAP packet that is no answer"
	return nil
}

func (p *papPeer) deadline() time.Time { return p.nextAt }
func (p *papPeer) note() string        { return p.ignored }
func (p *papPeer) close()              { p.nextAt = time.Time{} }

// papAuthenticator waits for name and password.
type papAuthenticator struct {
	cfg     *AuthenticatorConfig
	ignored string
}

func (p *papAuthenticator) start(now time.Time) []Action     { return nil }
func (p *papAuthenticator) challenge(now time.Time) []Action { return nil }

func (p *papAuthenticator) receive(now time.Time, packet []byte) []Action {
	code, id, body, ok := cut(packet)
	name, rest, ok1 := cutCounted(body)
	password, _, ok2 := cutCounted(rest)
	if !ok || !ok1 || !ok2 || code != papRequest {
		p.ignored = "a PAP packet that is no Authenticate-Request"
		return nil
	}
	secret, known := p.cfg.Secret(string(name))
	if !known || p.cfg.FailCode != 0 || subtle.ConstantTimeCompare(password, []byte(secret)) != 1 {
		return []Action{
			send(assemble(papNak, id, counted([]byte(p.cfg.failMessage())))),
			fail(clientRefused(p.cfg, string(name))),
		}
	}
	return []Action{
		send(assemble(papAck, id, counted([]byte("Welcome")))),
		{Kind: Success, Method: PAP, User: string(name)},
	}
}

func (p *papAuthenticator) advance(now time.Time) []Action { return nil }
func (p *papAuthenticator) deadline() time.Time            { return time.Time{} }
func (p *papAuthenticator) note() string                   { return p.ignored }
func (p *papAuthenticator) close()                         {}
