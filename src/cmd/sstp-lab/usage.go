package main

import (
	"fmt"
	"strings"

	"sstp/src/lab"
)

const head = `sstp-lab is an SSTP server for tests, benchmarks and demonstrations.

usage: sstp-lab [option...]

  --listen ADDRESS:PORT     where to listen, several times; default :443

  --cert FILE --key FILE    certificate and key; default: made at the start
  --name NAME               name of the certificate made, several times; default vpn.test and the --listen addresses
  --self-signed --expired --rsa     what the certificate made is like
  --write-cert FILE         write the server's certificate
  --write-ca FILE           write what clients must trust (their option ca_cert)
  --tls-min V --tls-max V   1.0 to 1.3; default 1.2 and 1.3
  --cipher TEXT             only suites with TEXT in their name, such as CHACHA20; TLS 1.2, or with --tls-min 1.3 that
  --tls-legacy              all cipher suites there are, RSA key exchange too
  --path-secret TEXT        demanded behind the request's path

  --users FILE              lines NAME:PASSWORD; default: demo:demo
  --user NAME:PASSWORD      one more, several times
  --auth LIST               methods in order of preference, of eap-tls mschapv2 eap-mschapv2 chap pap; or none
  --hash sha1|sha256        the one hash of the crypto binding; default: both
  --client-ca FILE          who signs the clients' certificates; default: who signed the server's
  --demand-client-cert      demand one in the outer TLS
  --write-client-cert FILE --write-client-key FILE    make a client certificate (for EAP-TLS)
  --single-session          a second login of a user ends the first

  --pool NET --pool6 NET    default 10.99.0.0/24 and fd53:5354:5000::/48; the server has the first address
  --dns LIST                name servers handed out, or none; default: the server
  --fresh-address           another address each time
  --no-ipv6                 reject IPv6
  --tun NAME                carry packets through this TUN device (root); without, pings and UDP port 7 are answered here
  --mtu N                   of the device, and the MRU; default 1400
  --no-offload              plain reads and writes of the device

  --trace                   print each packet that is not IP, with passwords and all
  --misbehave LIST          what to do wrong, see below

SIGUSR1 cuts all TCP connections, SIGUSR2 lets all calls fall silent, SIGHUP disconnects all, SIGTERM ends.

examples:
  sstp-lab --listen 127.0.0.1:4443 --write-ca ca.pem
  sstp-lab --tun lab0 --users users.txt --auth eap-mschapv2,pap --tls-max 1.2
  sstp-lab --listen :4443 --misbehave first=1,ipcp-delay=10s

misbehaviours:
`

func usage() string {
	var b strings.Builder
	b.WriteString(head)
	for _, k := range lab.Knobs() {
		fmt.Fprintf(&b, "  %-26s %s\n", k.Form(), k.Help)
	}
	return b.String()
}
