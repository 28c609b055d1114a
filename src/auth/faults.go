package auth

import (
	"strconv"
	"strings"
	"time"

	"sstp/src/fault"
	"sstp/src/phrase"
)

// failed is the plain failure of an authentication.
func failed(format phrase.Format, args ...string) *fault.Error {
	return fault.Newf(fault.AuthFailed, fault.StageAuth, format, args...)
}

// unproven says that the server claims success without having shown what only the owner of the password can.
func unproven(message phrase.Format) *fault.Error {
	return failed(message).
		WithHint("Do not trust this server: check option server and how its certificate is verified. " +
			"If the server is right, its user database is broken.")
}

// badProof is unproven for a Success message of MS-CHAPv2.
func badProof(message []byte) *fault.Error {
	if len(message) >= 2 && message[0] == 'S' && message[1] == '=' {
		return unproven("The server sent a wrong proof (S=), so it does not know the password: it may be an attacker.")
	}
	return unproven("The server claimed success without a proof (S=), so it does not know the password: it may be an attacker.")
}

// noRandom is a source of randomness that fails.
func noRandom(err error) *fault.Error {
	return failed("No random numbers could be had for authentication.").
		WithHint("The router's random number generator does not work; restart the router.").Wrap(err)
}

// refused is a failure that the server gives no number for.
func refused(text []byte) *fault.Error {
	if said := serverSays(text); said != "" {
		return failed(`The server refused the user name or the password. The server says: "%s".`, said)
	}
	return failed("The server refused the user name or the password.")
}

// refusal is what a Failure message of MS-CHAPv2 says (RFC 2759 section 6).
type refusal struct {
	code    int    // E=; 0: none
	message string // M=, to the end
}

// parseRefusal reads the fields by their keys: accel-ppp leaves out C=, SoftEther leaves out M=. M= takes the rest.
func parseRefusal(text string) (r refusal) {
	for text != "" {
		text = strings.TrimLeft(text, " ")
		if m, ok := strings.CutPrefix(text, "M="); ok {
			r.message = m
			return r
		}
		var field string
		field, text, _ = strings.Cut(text, " ")
		if e, ok := strings.CutPrefix(field, "E="); ok {
			if n, err := strconv.ParseUint(e, 10, 16); err == nil {
				r.code = int(n)
			}
		}
	}
	return r
}

// refusals tells the codes of RFC 2759 section 6 apart.
var refusals = map[int]struct {
	code    fault.Code
	message phrase.Format
	hint    phrase.Format // empty: the code's usual one
}{
	646: {fault.AccountDisabled, "The account may not log in at this hour",
		"Ask the server's administrator to widen the account's logon hours; check the server's clock."},
	647: {fault.AccountDisabled, "The account is disabled", ""},
	648: {fault.PasswordExpired, "The password has expired", ""},
	649: {fault.AccountDisabled, "The account has no dial-in permission",
		"Ask the server's administrator for the dial-in permission, and whether a network policy covers the account."},
	691: {fault.AuthFailed, "The server refused the user name or the password", ""},
	709: {fault.AuthFailed, "The server could not change the password",
		"Change the password on the server, then store the new one here."},
}

// refusedWith is the failure that a Failure message of MS-CHAPv2 reports.
func refusedWith(text []byte) *fault.Error {
	r := parseRefusal(string(text))
	if r.code == 0 && r.message == "" {
		return refused(text)
	}
	if r.code == 0 {
		return refused([]byte(r.message))
	}
	known, ok := refusals[r.code]
	if !ok {
		known.code, known.message = fault.AuthFailed, "The server refused the login"
	}
	f := fault.Newf(known.code, fault.StageAuth, "%s (error %s).", string(known.message), strconv.Itoa(r.code))
	if said := serverSays([]byte(r.message)); said != "" {
		f.Say(`%s (error %s). The server says: "%s".`, string(known.message), strconv.Itoa(r.code), said)
	}
	if known.hint != "" {
		f.WithHint(known.hint)
	}
	return f
}

// notAllowed says that the server wants what option auth does not list.
func notAllowed(what string) *fault.Error {
	return fault.Newf(fault.AuthMethodRefused, fault.StageAuth, "The server wants %s, which option auth does not allow.", what)
}

// silent says that the other end has stopped talking, or never began.
func silent(who string, what LCPAuth) *fault.Error {
	f := fault.Newf(fault.PeerSilent, fault.StageAuth, "The server did not answer during authentication (%s).", what.String())
	if who == "client" {
		f.OfClient()
	}
	return f
}

// endless says that the other end talks without coming to an end. It has not refused anything, so this is no AUTH_FAILED.
func endless(what LCPAuth, limit time.Duration, note string) *fault.Error {
	f := fault.Newf(fault.PPPNegotiationFailed, fault.StageAuth, "Authentication (%s) did not come to an end within %s.", what.String(), limit.String())
	if note != "" {
		f.Say("Authentication (%s) did not come to an end within %s. The last packet that was ignored: %s.", what.String(), limit.String(), note)
	}
	return f.WithHint("Check the server's log; its authentication server (RADIUS) may not answer.")
}

// badOption refuses to start with a value that the protocol cannot carry.
func badOption(message phrase.Format) *fault.Error {
	return fault.New(fault.InvalidOptions, fault.StageAuth, message)
}
