'use strict';
'require baseclass';
'require sstp.format as format';

/*
 * Sentences for the codes, stages and states of the daemon. A code that is not listed here was added to a newer daemon:
 * its own words are shown.
 */

const CODES = {
	INVALID_OPTIONS:        _('An option of the tunnel has a wrong value'),
	PEER_RESOLVE_FAIL:      _('The server\'s name could not be resolved'),
	NO_UPLINK:              _('There is no connection to the Internet over which to reach the server'),
	CONNECT_FAILED:         _('The server refused the connection'),
	CONNECT_TIMEOUT:        _('The server did not answer'),
	PROXY_FAILED:           _('The proxy could not connect to the server'),
	PROXY_AUTH_FAILED:      _('The proxy refused the user name or password'),
	TLS_FAILED:             _('The encrypted connection could not be set up'),
	CERT_UNTRUSTED:         _('The server\'s certificate is not trusted'),
	CERT_NAME_MISMATCH:     _('The server\'s certificate was made out for another name'),
	CERT_EXPIRED:           _('The server\'s certificate has expired or is not yet valid'),
	CERT_PIN_MISMATCH:      _('The server\'s certificate is not the one that was trusted'),
	HTTP_REFUSED:           _('The server refused the request for a tunnel'),
	NOT_SSTP:               _('What answers at this address is no SSTP server'),
	SSTP_REJECTED:          _('The server rejected the tunnel'),
	CRYPTO_BINDING_FAILED:  _('Client and server do not see the same encrypted connection'),
	PPP_NEGOTIATION_FAILED: _('Client and server could not agree on the link\'s settings'),
	AUTH_FAILED:            _('The server refused the user name or password'),
	AUTH_METHOD_REFUSED:    _('Client and server have no authentication method in common'),
	PASSWORD_EXPIRED:       _('The password has expired'),
	ACCOUNT_DISABLED:       _('The account is disabled or may not dial in'),
	NO_ADDRESS:             _('The server gave no address'),
	PEER_SILENT:            _('The server stopped answering'),
	CLOSED_BY_SERVER:       _('The server ended the connection'),
	TUN_FAILED:             _('The tunnel\'s network device could not be made'),
	NETIFD_REFUSED:         _('The router\'s network configuration refused the tunnel')
};

/* What to do, in the words of the form. */
const HINTS = {
	INVALID_OPTIONS:        _('Correct the option that is named, in the settings of the interface.'),
	PEER_RESOLVE_FAIL:      _('Check the spelling of the server\'s name, and that the router itself can resolve names.'),
	NO_UPLINK:              _('Check that the WAN is connected and has a default route, and that the uplink chosen under Advanced Settings is up.'),
	CONNECT_FAILED:         _('Check the server\'s address and port, and that no firewall on the way refuses the connection.'),
	CONNECT_TIMEOUT:        _('Check the server\'s address and port, and that the provider does not block it.'),
	PROXY_FAILED:           _('Check the HTTP proxy under Advanced Settings, and that it allows connections to the server\'s port.'),
	PROXY_AUTH_FAILED:      _('Check user name and password in the HTTP proxy under Advanced Settings.'),
	TLS_FAILED:             _('An old server may need old ciphers or an older TLS version, and some servers refuse a wrong name: see Security.'),
	CERT_UNTRUSTED:         _('If it is your server, Test connection shows its certificate and lets you trust it; or upload the authority that signed it under Security.'),
	CERT_NAME_MISMATCH:     _('Enter a name that the certificate has as the server, or under Security as the name in the certificate. If it is your server, Test connection lets you trust the certificate as it is.'),
	CERT_EXPIRED:           _('Renew the certificate on the server, and check the router\'s clock.'),
	CERT_PIN_MISMATCH:      _('If the server\'s certificate was renewed, Test connection shows the new one and lets you trust it. Otherwise somebody may be in between.'),
	HTTP_REFUSED:           _('Something answers that is not the VPN service: check server, port, the name in the certificate and the path secret.'),
	NOT_SSTP:               _('Check server and port, and that SSTP is enabled on the server.'),
	SSTP_REJECTED:          _('Check the server\'s log for the reason.'),
	CRYPTO_BINDING_FAILED:  _('Something on the way decrypts the traffic, or the server was set up with another certificate than the one it presents.'),
	PPP_NEGOTIATION_FAILED: _('Check the server\'s PPP settings and its log.'),
	AUTH_FAILED:            _('Check user name and password.'),
	AUTH_METHOD_REFUSED:    _('Allow one of the server\'s methods under Authentication, or enable one of yours on the server.'),
	PASSWORD_EXPIRED:       _('Change the password on the server, then enter the new one here.'),
	ACCOUNT_DISABLED:       _('Ask the server\'s administrator to enable the account and its permission to dial in.'),
	NO_ADDRESS:             _('Check the server\'s address pool or DHCP server.'),
	PEER_SILENT:            _('The connection was lost or the server hangs; it is dialed again.'),
	CLOSED_BY_SERVER:       _('Check the server\'s log; another login with the same account may have replaced this one.'),
	TUN_FAILED:             _('Check that the package kmod-tun is installed and that no other interface uses the device\'s name.'),
	NETIFD_REFUSED:         _('Check the settings of the interface; the system log has the network service\'s own words.')
};

/* The same where the button to trust the certificate is in sight; the daemon tells how to do it by hand. */
const HINTS_AT_BUTTON = {
	CERT_UNTRUSTED:     _('If it is your server, trust its certificate with the button below, or upload the authority that signed it under Security.'),
	CERT_NAME_MISMATCH: _('Enter a name that the certificate has as the server, or under Security as the name in the certificate. If it is your server, you can trust the certificate as it is with the button below.'),
	CERT_PIN_MISMATCH:  _('If the server\'s certificate was renewed, trust the new one with the button below. Otherwise somebody may be in between.')
};

/* The daemon's usual hints, by which those are told apart that know more about the case at hand. */
const USUAL_HINTS = [
	'Correct the named option in the interface\'s configuration.',
	'Check the spelling of option server, and that the router can resolve names (DNS of the uplink).',
	'Check that the WAN is up and has a default route; option tunlink must name an interface that is up.',
	'Check the server\'s address and port, and that no firewall on the way refuses the connection.',
	'Nothing answered: check the server\'s address and port, and that the provider does not block it.',
	'Check option proxy, and that the proxy allows CONNECT to the server\'s port.',
	'Check the user name and password in option proxy.',
	'An old server may need tls_legacy \'1\' or a lower tls_min; some servers refuse a wrong or missing name, see server_name and sni.',
	'If it is your server, store its fingerprint as cert_pin, or its CA as ca_cert.',
	'Set option server to a name that the certificate has, or set server_name.',
	'Renew the server\'s certificate; check the router\'s clock too.',
	'If the server\'s certificate was renewed, replace cert_pin; otherwise somebody may be in between.',
	'Something answered that is not the VPN service: check server, port, server_name and path_secret.',
	'The server does not speak SSTP on this port: check server and port.',
	'Check the server\'s log for the reason.',
	'TLS is intercepted on the way, or the server\'s certificate setting differs from the certificate it presents.',
	'Check the server\'s PPP settings and its log.',
	'Check username and password.',
	'Allow one of the server\'s methods in option auth, or enable one of yours on the server.',
	'Change the password on the server, then store the new one here.',
	'Ask the server\'s administrator to enable the account and its dial-in permission.',
	'Check the server\'s address pool or DHCP server.',
	'The connection was lost or the server hangs; it is dialed again.',
	'Check the server\'s log; another login with the same account may have replaced this one.',
	'Check that /dev/net/tun exists (package kmod-tun) and that the device\'s name is free.',
	'Check the interface\'s configuration; logread has netifd\'s own words.'
];

/* The hint to a login that is not made with a server that is not verified. */
const WITHHELD = /^If it is your server, choose Trust this certificate in Test connection, or run: /;

const METHODS = {
	'mschapv2':     'MS-CHAPv2',
	'eap-mschapv2': 'EAP-MSCHAPv2',
	'eap-tls':      'EAP-TLS',
	'eap-md5':      'EAP-MD5',
	'chap':         'CHAP',
	'pap':          'PAP'
};

/* What the daemon says in few forms, so that it can be said in other languages; the rest is shown as it came. */
const PHRASES = [
	[ /^an address, nothing to resolve$/, _('an address, nothing to resolve') ],
	[ /^call accepted, crypto binding with (.+)$/, _('call accepted, crypto binding with %s') ],
	[ /^link open, the server takes packets of up to (\d+) bytes$/, _('link open, the server takes packets of up to %s bytes') ],
	[ /^logged in by no method: the server asked for none$/, _('the server asked for no login') ],
	[ /^logged in by (.+)$/, _('logged in by %s') ],
	[ /^(SHA-\d+) with the login's keys, not to be relied on: the server is not verified$/, _('%s with the login\'s keys, not to be relied on: the server is not verified') ],
	[ /^(SHA-\d+) with the login's keys$/, _('%s with the login\'s keys') ],
	[ /^(SHA-\d+) without keys$/, _('%s without keys') ],
	[ /^next try in (.+)$/, _('next attempt in %s') ],
	[ /^asked to reconnect by (.+): dialing anew$/, _('reconnected on demand of %s') ],
	[ /^dialing (.+) again$/, _('dialing %s again') ],
	[ /^(\S+) on (\S+), MTU (.+)$/, _('%s on %s, MTU %s') ],
	[ /^no call came up in time: addresses and device given up$/, _('not back in time: addresses and device were given up') ],
	[ /^saying goodbye$/, _('saying goodbye to the server') ],
	[ /^interface (.+)$/, _('interface %s') ],
	[ /^The program (\S+) cannot be started\.$/, _('The program %s cannot be started.') ],
	[ /^Install the package (\S+) again\.$/, _('Install the package %s again.') ],
	[ /^The server's certificate is not verified, so the login would let somebody in between take the server's place\. It is not made\.$/, _('The login is refused, because the server\'s certificate is not verified') ],
	[ /^The login can be relayed: /, _('The login can be relayed: somebody on the way can take the server\'s place, and search for the password. Test connection lets you trust the server\'s certificate, which ends that.') ],
	[ /^Option insecure_login has no effect: the server is verified\.$/, _('It has no effect: the server is verified.') ],
	[ /^TLS versions below 1\.2 have known weaknesses\.$/, _('TLS versions below 1.2 have known weaknesses.') ]
];

/* In the order in which a call goes through them. certificate is a part of tls, shown apart from it. */
const STAGES = {
	config:      _('Configuration'),
	resolve:     _('Name resolution'),
	connect:     _('TCP connection'),
	proxy:       _('Proxy'),
	tls:         _('TLS encryption'),
	certificate: _('Certificate'),
	http:        _('HTTP request'),
	sstp:        _('SSTP call'),
	ppp:         _('PPP link'),
	auth:        _('Authentication'),
	network:     _('Addresses'),
	up:          _('Tunnel')
};

/* The look of a state: ok, busy, warn, bad, off. */
const STATES = {
	starting:   { look: 'busy', text: _('Starting') },
	resolving:  { look: 'busy', text: _('Looking up the server') },
	connecting: { look: 'busy', text: _('Connecting') },
	tls:        { look: 'busy', text: _('Setting up encryption') },
	sstp:       { look: 'busy', text: _('Opening the tunnel') },
	auth:       { look: 'busy', text: _('Logging in') },
	network:    { look: 'busy', text: _('Getting an address') },
	up:         { look: 'ok',   text: _('Connected') },

	/* up, and what was looked up says otherwise */
	elsewhere:  { look: 'warn', text: _('Connected, but traffic does not use the tunnel') },
	elsewhere6: { look: 'warn', text: _('Connected, but IPv6 traffic does not use the tunnel') },

	waiting:    { look: 'bad',  text: _('Not connected, waiting to try again') },
	holding:    { look: 'warn', text: _('Connection lost, dialing again') },
	stopping:   { look: 'off',  text: _('Disconnecting') },

	/* without a daemon that could tell */
	stopped:    { look: 'off',  text: _('Disconnected') },
	disabled:   { look: 'off',  text: _('Disabled') },
	failed:     { look: 'bad',  text: _('Not connected') },
	absent:     { look: 'busy', text: _('Starting') },
	nohandler:  { look: 'bad',  text: _('Not known to the network service') },
	unknown:    { look: 'warn', text: _('State unknown') }
};

function method(name) {
	return Object.hasOwn(METHODS, name) ? METHODS[name] : String(name ?? '');
}

/* A usual phrase in the page's language, null where it is none. */
function known(text) {
	for (const [ pattern, sentence ] of PHRASES) {
		const m = String(text ?? '').match(pattern);

		if (m)
			return format.fill(sentence, ...m.slice(1).map(method));
	}

	return null;
}

return baseclass.extend({
	CODES,
	HINTS,
	USUAL_HINTS,
	STAGES,
	STATES,

	/* The sentence for a code; other is shown where the code is unknown. */
	sentence(code, other) {
		return Object.hasOwn(CODES, code) ? CODES[code] : (other || code || '');
	},

	/* The headline of a failure: its message where that is a usual phrase, which says more than the code. */
	title(code, message) {
		return known(message) ?? this.sentence(code, message);
	},

	/*
	 * What to do: a list of ours and of what the daemon knows beyond that. atButton: the button to trust is in sight. Who
	 * knows better than that an option is to be corrected is believed.
	 */
	hints(code, text, atButton) {
		if (WITHHELD.test(text))
			return [ atButton ? _('If it is your server, trust its certificate with the button below. Until then no login is made.')
				: _('If it is your server, Test connection shows its certificate and lets you trust it. Until then no login is made.') ];

		const special = text && !USUAL_HINTS.includes(text) && !Object.hasOwn(HINTS_AT_BUTTON, code),
		      ours = (atButton && Object.hasOwn(HINTS_AT_BUTTON, code)) ? HINTS_AT_BUTTON[code] : Object.hasOwn(HINTS, code) ? HINTS[code] : '';

		const more = special ? this.phrase(text) : /^Install the package ca-bundle,/.test(text) ? _('Install the package ca-bundle for the router to know the usual authorities.') : '';

		return [ (special && code == 'INVALID_OPTIONS') ? '' : ours, more ].filter((h) => h);
	},

	method,

	/* What was found, in the page's language where it is one of the usual phrases. */
	phrase(text) {
		return known(text) ?? String(text ?? '');
	},

	stage(name) {
		return Object.hasOwn(STAGES, name) ? STAGES[name] : String(name ?? '');
	},

	state(name) {
		return Object.hasOwn(STATES, name) ? STATES[name] : { look: 'warn', text: String(name ?? '') };
	},

	/* Codes for which trusting the certificate that the server shows would help. */
	isTrustable(code) {
		return [ 'CERT_UNTRUSTED', 'CERT_NAME_MISMATCH', 'CERT_EXPIRED', 'CERT_PIN_MISMATCH' ].includes(code);
	}
});
