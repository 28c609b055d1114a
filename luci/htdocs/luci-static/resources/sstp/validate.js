'use strict';
'require baseclass';

/*
 * What the daemon accepts, said before it is saved. Each check returns true or the sentence that tells what to enter.
 * An empty value is always right: what is not set has a default.
 */

const AUTH_METHODS = [ 'mschapv2', 'eap-mschapv2', 'eap-tls', 'chap', 'pap' ];

function isWhole(v, low, high) {
	return /^(0|[1-9][0-9]{0,8})$/.test(v) && +v >= low && +v <= high;
}

function isIPv4(v) {
	const parts = v.split('.');

	return parts.length == 4 && parts.every((p) => isWhole(p, 0, 255));
}

function isIPv6(v) {
	let text = v;
	const tail = text.match(/:([0-9.]+)$/);

	if (tail && tail[1].includes('.')) {
		if (!isIPv4(tail[1]))
			return false;

		text = text.slice(0, -tail[1].length) + '0:0';
	}

	const halves = text.split('::');

	if (halves.length > 2)
		return false;

	const groups = halves.map((h) => h ? h.split(':') : []),
	      count = groups.reduce((n, g) => n + g.length, 0);

	return groups.flat().every((g) => /^[0-9a-f]{1,4}$/i.test(g)) && (halves.length == 2 ? count < 8 : count == 8);
}

/* The eight groups of an IPv6 address that isIPv6 takes, as numbers. */
function ipv6Groups(v) {
	const text = v.replace(/([0-9]+)\.([0-9]+)\.([0-9]+)\.([0-9]+)$/, (all, a, b, c, d) => `${(a * 256 + +b).toString(16)}:${(c * 256 + +d).toString(16)}`),
	      [ head, tail ] = text.split('::').map((half) => half ? half.split(':') : []);

	return [ ...head, ...(tail ? [ ...Array(8 - head.length - tail.length).fill('0'), ...tail ] : []) ].map((g) => parseInt(g, 16));
}

/* A name that ends in a number is a mistyped address. */
function isHostName(v) {
	const name = v.replace(/\.$/, ''), labels = name.split('.');

	return name.length <= 253 && labels.every((l) => /^[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?$/i.test(l)) &&
		!/^[0-9]+$/.test(labels[labels.length - 1]);
}

function isHost(v) {
	return isIPv4(v) || isIPv6(v) || isHostName(v);
}

/* host, host:port, [v6]:port or a bare IPv6 address, taken apart; null where it is none of them. */
function splitHostPort(v) {
	const m = v.match(/^\[([^\]]*:[^\]]*)\](?::([0-9]+))?$/) || v.match(/^([^:[\]]+):([0-9]+)$/) || [ v, v ];

	if (!isHost(m[1]) || (m[2] !== undefined && !isWhole(m[2], 1, 65535)))
		return null;

	return { host: m[1], port: m[2] };
}

function isBase64Sum(v) {
	return /^[A-Za-z0-9+/]{43}=?$/.test(v);
}

function isUnescapable(v) {
	return /^(?:[^%]|%[0-9a-f]{2})*$/i.test(v) && !/[\x00-\x1f\x7f]|%[01][0-9a-f]|%7f/i.test(v);
}

return baseclass.extend({
	AUTH_METHODS,
	isHost,
	isIPv4,
	isIPv6,

	/* Whether an IPv6 address stands for one of IPv4, as ::ffff:192.0.2.1. */
	isMapped(v) {
		const groups = ipv6Groups(v);

		return groups.slice(0, 5).every((g) => g == 0) && groups[5] == 0xffff;
	},

	splitHostPort,

	server(v) {
		return v === '' || splitHostPort(v) !== null ||
			_('Enter a host name, an address, host:port or [IPv6 address]:port, without https:// in front.');
	},

	port(v) {
		return v === '' || isWhole(v, 1, 65535) || _('Enter a number from 1 to 65535.');
	},

	host(v) {
		return v === '' || isHost(v) || _('Enter a host name or an address, without a port.');
	},

	sni(v) {
		return v === '' || v === '-' || isHostName(v) || _('Enter a host name, or a single - to send none.');
	},

	credential(v) {
		return Array.from(v).length <= 256 || _('Enter at most 256 characters.');
	},

	pin(v) {
		const hex = v.match(/^sha256:([0-9a-f:]+)$/i), spki = v.match(/^spki-sha256:(.*)$/i);

		return v === '' || (hex !== null && hex[1].replace(/:/g, '').length == 64) || (spki !== null && isBase64Sum(spki[1])) ||
			_('Enter sha256: and the 64 hexadecimal digits of the certificate\'s fingerprint, or spki-sha256: and the base64 hash of its key.');
	},

	proxy(v) {
		const m = v.match(/^(?:http:\/\/)?(?:(.*)@)?([^@/]*)\/?$/i);

		if (v === '')
			return true;

		if (m && splitHostPort(m[2]) && !v.match(/^\/|:\/\/\//)) {
			const user = (m[1] ?? 'none').split(':');

			if (user[0] !== '' && isUnescapable(m[1] ?? ''))
				return true;
		}

		return _('Enter http://host:port or http://user:password@host:port. Write characters such as @ or % in user and password as %40 or %25.');
	},

	authMethod(v) {
		return v === '' || AUTH_METHODS.includes(v) || _('Choose one of the listed methods.');
	},

	mtu(v) {
		return v === '' || isWhole(v, 576, 1500) || _('Enter a number from 576 to 1500.');
	},

	keepalive(v) {
		const m = v.match(/^([0-9]+)[ ,]+([0-9]+)$/);

		return v === '' || (m !== null && isWhole(m[1], 1, 100) && isWhole(m[2], 1, 3600)) ||
			_('Enter two numbers: how many requests may stay unanswered (1 to 100) and the seconds between them (1 to 3600), such as 3 10.');
	},

	hold(v) {
		return v === '' || v === 'forever' || isWhole(v, 0, 86400) || _('Enter a number of seconds from 0 to 86400, or forever.');
	},

	attempts(v) {
		return v === '' || isWhole(v, 0, 1000000) || _('Enter a number from 0 to 1000000.');
	},

	pathSecret(v) {
		return /^[\x21-\x7e]*$/.test(v) || _('Enter letters, digits and signs of plain ASCII, without blanks.');
	},

	congestion(v) {
		return /^[A-Za-z0-9_-]{0,15}$/.test(v) || _('Enter the name of a congestion control of the kernel, such as cubic or bbr.');
	},

	file(v) {
		return v === '' || (v[0] == '/' && v.length <= 4095) || _('Enter the absolute path of a file on the router.');
	},

	/*
	 * What no option can tell alone, as the daemon checks it. get(name) returns a text or a list of texts. The answer is
	 * { option: sentence } for those that are wrong.
	 */
	together(get) {
		const wrong = {}, list = (name) => [].concat(get(name) || []).filter((v) => v !== ''),
		      set = (name) => list(name).length > 0;

		if (!set('server'))
			wrong.server = _('Enter the server to connect to.');

		if (get('verify') == 'pin' && !set('cert_pin'))
			wrong.verify = _('Add the fingerprint of the server\'s certificate: Test connection shows it, and Trust this certificate enters it here.');

		if (set('cert') && !set('key'))
			wrong.key = _('Choose the private key that belongs to the client certificate.');

		if (set('key') && !set('cert'))
			wrong.cert = _('Choose the client certificate that belongs to the private key.');

		if (list('auth').includes('eap-tls') && !set('cert'))
			wrong.auth = _('EAP-TLS needs a client certificate and its private key; choose them under Security.');
		else if (get('verify') == 'none' && list('auth').some((m) => m == 'pap' || m == 'chap'))
			wrong.auth = _('PAP and CHAP would give the password away to anybody who pretends to be the server: verify the certificate, or remove them.');

		return wrong;
	}
});
