'use strict';
'require baseclass';
'require sstp.format as format';
'require sstp.validate as validate';
'require sstp.sha256 as sha256';

/*
 * A SoftEther VPN Client connection setting file (.vpn): a tree of "declare NAME { ... }" with lines "type name value".
 * Strings have blanks and $ written as $20 and $24, an empty one is a lone $; bytes are base64 (SoftEther VPN, Cfg.c).
 */

const ANONYMOUS = '0', BY_PASSWORD = '1', BY_PLAIN_PASSWORD = '2', BY_CERTIFICATE = '3';
const HTTP_PROXY = '1', DIRECT = '0';

/* The public servers of VPN Gate take these from anybody (vpngate.net). */
const VPN_GATE_HUB = 'VPNGATE', VPN_GATE_LOGIN = 'vpn';

function unescapeString(v) {
	if (v == '$')
		return '';

	const bytes = [];

	for (let i = 0; i < v.length; i++) {
		const hex = (v[i] == '$') ? v.slice(i + 1, i + 3) : '';

		if (/^[0-9a-f]{2}$/i.test(hex)) {
			bytes.push(parseInt(hex, 16));
			i += 2;
		}
		else {
			bytes.push(...new TextEncoder().encode(v[i]));
		}
	}

	return new TextDecoder().decode(Uint8Array.from(bytes));
}

function decodeBytes(v) {
	try {
		return Uint8Array.from(atob(v), (c) => c.charCodeAt(0));
	}
	catch (e) {
		return null;
	}
}

/* The tree: { name, line, values: { name: { type, text, line } }, children: [] }. */
function tree(text, errors) {
	const root = { name: '', line: 1, values: {}, children: [] }, open = [ root ];
	let declared = null;

	text.split(/\r?\n/).forEach((raw, i) => {
		const line = raw.trim(), at = i + 1, here = open[open.length - 1],
		      declare = line.match(/^declare\s+(\S+)$/), value = line.match(/^(bool|byte|int|uint64|uint|string)\s+(\S+)(?:\s+(.*))?$/);

		if (line === '' || line[0] == '#')
			return;

		if (declare) {
			declared = { name: unescapeString(declare[1]), line: at, values: {}, children: [] };
			here.children.push(declared);
		}
		else if (line == '{' && declared) {
			open.push(declared);
			declared = null;
		}
		else if (line == '}' && open.length > 1) {
			open.pop();
		}
		else if (value && open.length > 1) {
			here.values[value[2]] = { type: value[1], text: value[3] ?? '', line: at };
		}
		else {
			errors.push({ line: at, text: format.fill(_('"%s" was not expected here.'), line.slice(0, 60)) });
		}
	});

	if (open.length > 1)
		errors.push({ line: open[open.length - 1].line, text: _('The { that follows is never closed: the file is cut short.') });

	return root;
}

function find(node, name) {
	return (node.name == name) ? node : node.children.reduce((hit, c) => hit ?? find(c, name), null);
}

function credentials(auth, hub, options, notes) {
	const get = (name) => auth?.values[name] ? unescapeString(auth.values[name].text) : '',
	      type = auth?.values.AuthType?.text ?? ANONYMOUS, user = get('Username');

	/* an SSTP client names the hub behind the user name; without it the server takes its default hub */
	if (user)
		options.username = hub ? `${user}@${hub}` : user;

	if (hub.toUpperCase() == VPN_GATE_HUB) {
		options.username = VPN_GATE_LOGIN;
		options.password = VPN_GATE_LOGIN;
		notes.push(_('VPN Gate\'s public servers take user name and password "vpn".'));
	}
	else if (type == BY_PASSWORD || type == BY_PLAIN_PASSWORD) {
		notes.push(_('The file holds the password only in a form that SSTP cannot use: type it in.'));
	}
	else if (type == BY_CERTIFICATE) {
		options.auth = [ 'eap-tls' ];
		notes.push(_('The login uses a client certificate: choose certificate and key under Security.'));
	}
	else if (type == ANONYMOUS) {
		notes.push(_('The login is anonymous, which SSTP does not know: ask for a user name and password.'));
	}
	else {
		notes.push(_('The login uses a smart card, which a router does not have.'));
	}
}

function proxy(values, options, notes) {
	const text = (name) => values[name] ? unescapeString(values[name].text) : '', type = text('ProxyType') || DIRECT;

	if (type == DIRECT || !text('ProxyName'))
		return;

	if (type != HTTP_PROXY) {
		notes.push(_('The SOCKS proxy is not taken over: only HTTP proxies are known here.'));
		return;
	}

	const user = text('ProxyUsername');

	options.proxy = `http://${user ? encodeURIComponent(user) + '@' : ''}${text('ProxyName')}:${text('ProxyPort') || '8080'}`;

	if (user)
		notes.push(_('The proxy\'s password is not in the file in a form that can be read: add it behind the user name in Proxy.'));
}

return baseclass.extend({
	recognizes(text) {
		return /^\s*declare\s+\S+/m.test(text);
	},

	parse(text) {
		const errors = [], root = tree(text, errors), client = find(root, 'ClientOption'), auth = find(root, 'ClientAuth');

		if (!client) {
			errors.push({ line: 1, text: _('There is no "declare ClientOption": this is no connection setting of SoftEther VPN Client.') });
			return { tunnels: [], errors };
		}

		const get = (name) => client.values[name] ? unescapeString(client.values[name].text) : '',
		      host = get('Hostname').replace(/\/.*$/, ''), port = get('Port') || '443',
		      options = {}, notes = [], both = validate.splitHostPort(host);

		if (!both || validate.port(port) !== true) {
			const bad = client.values[both ? 'Port' : 'Hostname'];

			errors.push({ line: (bad ?? client).line, text: host
				? format.fill(_('"%s" is neither a host name nor an address with a port.'), host + ':' + port)
				: _('There is no Hostname: the file does not say which server to connect to.') });
			return { tunnels: [], errors };
		}

		options.server = [ (port == '443') ? host : `${both.host.includes(':') ? `[${both.host}]` : both.host}:${port}` ];
		credentials(auth, get('HubName'), options, notes);
		proxy(client.values, options, notes);

		const checked = root.children.reduce((v, c) => v ?? c.values.CheckServerCert, null)?.text == 'true',
		      stored = root.children.reduce((v, c) => v ?? c.values.ServerCert, null),
		      certificate = stored ? decodeBytes(stored.text) : null;

		if (stored && !certificate)
			errors.push({ line: stored.line, text: _('The server\'s certificate is not valid base64.') });
		else if (checked && certificate?.length) {
			options.verify = 'pin';
			options.cert_pin = [ 'sha256:' + sha256.hex(certificate) ];
		}
		else if (!checked)
			notes.push(_('SoftEther did not verify the server\'s certificate. Here it is verified: run Test connection, and trust the certificate there if it is your server\'s.'));

		notes.push(_('The server must have SSTP enabled (MS-SSTP VPN Clone Server Function).'));

		return { tunnels: [ { name: get('AccountName') || host, options, notes } ], errors };
	}
});
