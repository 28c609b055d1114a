package main

import (
	"slices"
	"strings"
	"time"

	"sstp/src/transport/trust"
)

// fingerprint returns the SHA-256 of the server's certificate.
func (w *world) fingerprint() string { return trust.Fingerprint(w.certificate.Leaf) }

func timeToUp(w *world) {
	w.start(setup{vpn: options{"auto": "0"}})
	events := w.router.follow("ubus", "listen", "network.interface")
	var took []time.Duration
	for range 10 {
		begin := time.Now()
		w.router.must("ubus call network.interface.vpn up")
		w.until(upLimit, "netifd told of it", func() string {
			if line, ok := events.first(begin, `"ifup"`, `"vpn"`); ok {
				took = append(took, line.at.Sub(begin))
				return ""
			}
			return "not yet"
		})
		w.waitUp("vpn", time.Second)
		w.reaches(w.router.net, insideAddress, time.Second)
		w.router.must("ifdown vpn")
		w.waitDown("vpn", device, 5*time.Second)
	}
	slices.Sort(took)
	w.find("from ifup to up: median %d ms, longest %d ms of %d (server on the link, with a name to look up)",
		took[len(took)/2].Milliseconds(), took[len(took)-1].Milliseconds(), len(took))
}

func longestSilence(w *world) {
	r := w.up(setup{})
	from := w.lan
	if !w.router.hasFirewall() {
		from = w.router.net
	}
	var silences []time.Duration
	for n := range 5 {
		if n > 0 { // a new daemon has not seen calls that ended soon after they began
			w.router.must("ifup vpn")
			w.waitUp("vpn", upLimit)
			w.reaches(from, insideAddress, upLimit)
		}
		p := w.ping(from, insideAddress, 10*time.Millisecond)
		answered := func(more int) {
			_, have := p.answered()
			w.until(10*time.Second, "pings are answered", func() string {
				if _, got := p.answered(); got < have+more {
					return "not yet"
				}
				return ""
			})
		}
		answered(20)
		w.killServer()
		w.serveVPN()
		r.reconnected(1, upLimit)
		answered(20)
		p.end()
		silences = append(silences, p.silence())
	}
	slices.Sort(silences)
	var texts []string
	for _, s := range silences {
		texts = append(texts, s.Round(time.Millisecond).String())
	}
	w.find("longest silence of a ping each 10 ms when the server's process is killed and started at once: %s (of five: %s)",
		texts[len(texts)-1], strings.Join(texts, ", "))
}
