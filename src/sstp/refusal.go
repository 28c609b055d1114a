package sstp

import (
	"strconv"

	"sstp/src/fault"
)

// Refusal turns a status other than 200 into the failure that the user sees, nil for 200. What follows from a status:
// whatever answers 5xx may recover, everything else is a matter of configuration.
func (h *ResponseHead) Refusal() *fault.Error {
	if h.Status == 200 {
		return nil
	}
	refused := func(meaning string) *fault.Error {
		answer := strconv.Itoa(h.Status)
		if h.Reason != "" {
			answer += " " + h.Reason
		}
		return fault.New(fault.HTTPRefused, fault.StageHTTP, "The server answered "+answer+": "+meaning+".")
	}
	switch {
	case h.Status >= 300 && h.Status <= 399 && h.Location != "":
		// accel-ppp's http-error redirects when Host or path do not match; following would leave the VPN service.
		return refused("it points to " + h.Location + " instead of opening the VPN")
	case h.Status >= 300 && h.Status <= 399:
		return refused("it points elsewhere instead of opening the VPN")
	case h.Status == 400:
		return refused("it did not understand the request").
			WithHint("A plain web server may listen behind the TLS port; an accel-ppp server needs accept=ssl.")
	case h.Status == 401, h.Status == 407:
		return refused("something in front of the VPN wants credentials").
			WithHint("SSTP has no HTTP login: a reverse proxy or firewall answers in the server's place; have it pass " + Method + " requests.")
	case h.Status == 403:
		return refused("it forbids the request").
			WithHint("A web firewall or filter in front of the VPN answers in its place; check server and port.")
	case h.Status == 404:
		return refused("it knows no VPN at this address").
			WithHint("Check server, port, server_name and path_secret, and that SSTP is enabled on the server.")
	case h.Status == 405, h.Status == 501:
		return refused("it does not know SSTP's request; this is an ordinary web server or proxy").
			WithHint("Check server and port: the VPN service is not what listens there.")
	case h.Status >= 500 && h.Status <= 599:
		return refused("the VPN service behind it is down, restarting or full").
			WithHint("It is tried again; if it stays, check the server's log and its number of free ports.")
	}
	return refused("that is no answer to SSTP's request")
}
