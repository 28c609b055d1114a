package proxy

import (
	"crypto/md5"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"strings"
)

// basicAuthorization returns credentials for Basic (RFC 7617), in UTF-8.
func basicAuthorization(user, password string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))
}

// digestAlgorithm is an algorithm of RFC 7616 section 6.1.
type digestAlgorithm struct {
	name string // in lower case, without -sess
	hash func(string) string
}

// digestAlgorithms are the algorithms that we know, the stronger one last.
var digestAlgorithms = [...]digestAlgorithm{
	{"md5", func(s string) string { sum := md5.Sum([]byte(s)); return hex.EncodeToString(sum[:]) }},
	{"sha-256", func(s string) string { sum := sha256.Sum256([]byte(s)); return hex.EncodeToString(sum[:]) }},
}

// digestStrength ranks a challenge. It returns 0 for one that we cannot answer, because it has an unknown algorithm, no nonce,
// or offers only protection of the body.
func digestStrength(ch *challenge) int {
	if _, found := ch.get("nonce"); ch.scheme != "digest" || !found {
		return 0
	}
	if qop, found := ch.get("qop"); found && !offersAuth(qop) {
		return 0
	}
	name, _ := digestName(ch)
	for i, a := range digestAlgorithms {
		if a.name == name {
			return i + 1
		}
	}
	return 0
}

// digestName returns the algorithm of a challenge, which is MD5 unless it names another, and whether that is a -sess one.
func digestName(ch *challenge) (name string, session bool) {
	name, found := ch.get("algorithm")
	if !found || name == "" {
		return "md5", false
	}
	return strings.CutSuffix(strings.ToLower(name), "-sess")
}

func offersAuth(qop string) bool {
	for _, q := range strings.Split(qop, ",") {
		if strings.EqualFold(strings.Trim(q, " \t"), "auth") {
			return true
		}
	}
	return false
}

// digestAuthorization answers a challenge that digestStrength accepts, by RFC 7616 section 3.4, or without qop by RFC 2069,
// which old proxies still follow. Each nonce is used for one request only, so the count is always 1.
func digestAuthorization(ch *challenge, user, password, method, uri, cnonce string) string {
	const nc = "00000001"
	realm, _ := ch.get("realm")
	nonce, _ := ch.get("nonce")
	_, protected := ch.get("qop")
	name, session := digestName(ch)
	hash := digestAlgorithms[0].hash
	for _, a := range digestAlgorithms {
		if a.name == name {
			hash = a.hash
		}
	}
	ha1 := hash(user + ":" + realm + ":" + password)
	if session {
		ha1 = hash(ha1 + ":" + nonce + ":" + cnonce)
	}
	ha2 := hash(method + ":" + uri)
	var response string
	if protected {
		response = hash(ha1 + ":" + nonce + ":" + nc + ":" + cnonce + ":auth:" + ha2)
	} else {
		response = hash(ha1 + ":" + nonce + ":" + ha2)
	}

	line := "Digest username=" + quoted(user) + ", realm=" + quoted(realm) + ", nonce=" + quoted(nonce) +
		", uri=" + quoted(uri) + ", response=" + quoted(response)
	if algorithm, found := ch.get("algorithm"); found && isToken(algorithm) {
		line += ", algorithm=" + algorithm
	}
	if protected || session {
		line += ", cnonce=" + quoted(cnonce)
	}
	if protected {
		line += ", qop=auth, nc=" + nc
	}
	if opaque, found := ch.get("opaque"); found {
		line += ", opaque=" + quoted(opaque)
	}
	return line
}

func isToken(s string) bool {
	token, rest := cutToken(s)
	return token != "" && rest == ""
}

// bestChallenge returns the strongest challenge that we can answer, or nil. schemes lists all that were offered, for people.
func bestChallenge(headers []string) (best *challenge, schemes string) {
	strength := -1
	var names []string
	for _, h := range headers {
		list := parseChallenges(h)
		for i := range list {
			ch := &list[i]
			names = append(names, ch.scheme)
			rank := digestStrength(ch)
			if rank == 0 && ch.scheme != "basic" {
				continue
			}
			if rank > strength {
				best, strength = ch, rank
			}
		}
	}
	return best, strings.Join(names, ", ")
}
