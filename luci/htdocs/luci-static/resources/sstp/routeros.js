'use strict';
'require baseclass';
'require sstp.format as format';
'require sstp.validate as validate';

/*
 * The output of RouterOS' "/interface sstp-client export": commands with name=value parameters, quoted values, and lines
 * that go on behind a backslash (RouterOS manual, "Scripting" and "Configuration Management").
 */

const ESCAPES = { n: '\n', r: '\r', t: '\t', a: '\x07', b: '\b', f: '\f', v: '\v', _: ' ' };

/* What has no meaning here, or one that is kept anyway. */
const SILENT = [ 'name', 'disabled', 'comment', 'mrru', 'pfs', 'ciphers', 'add-sni', 'find', 'numbers', '.id' ];

const DEFAULT_PORT = '443';

/* Takes the text apart into commands, lists of words { text, value, line }; value is what stands behind the =. */
function commands(text, errors) {
	const found = [];
	let words = [], word = null, line = 1, i = 0;

	const endWord = () => {
		if (word)
			words.push(word);
		word = null;
	};

	const endCommand = () => {
		endWord();
		if (words.length)
			found.push(words);
		words = [];
	};

	const put = (c) => {
		word = word ?? { text: '', value: null, line };

		if (word.value === null)
			word.text += c;
		else
			word.value += c;
	};

	/* The brackets of [ find name=x ], but not those of an IPv6 address. */
	const isBracket = (c) => (c == '[' && (word?.value ?? null) === null) || (c == ']' && !word?.value?.includes('['));

	/* A backslash at the end of a line joins the next one, without the blanks it begins with. */
	const joins = () => {
		const m = text.slice(i).match(/^\\[ \t]*\r?\n[ \t]*/);

		if (!m)
			return false;

		i += m[0].length;
		line++;
		return true;
	};

	const quoted = () => {
		const begun = line;

		for (i++; i < text.length; i++) {
			while (joins()) {}

			const c = text[i];

			if (c == '"') {
				i++;
				return;
			}

			if (c == '\n')
				line++;

			if (c != '\\') {
				put(c ?? '');
				continue;
			}

			const hex = text.slice(i + 1, i + 3);

			if (/^[0-9A-F]{2}$/.test(hex)) {
				put('\\x' + hex);
				i += 2;
			}
			else {
				put(ESCAPES[text[i + 1]] ?? text[i + 1] ?? '');
				i++;
			}
		}

		errors.push({ line: begun, text: _('The quotation mark " is never closed.') });
	};

	while (i < text.length) {
		const c = text[i];

		if (joins())
			continue;

		if (c == '"') {
			put('');
			quoted();
			continue;
		}

		if (c == '\n' || c == ';') {
			endCommand();
		}
		else if (c == '#' && !word && !words.length) {
			while (i < text.length && text[i] != '\n')
				i++;
			continue;
		}
		else if (c == ' ' || c == '\t' || c == '\r' || isBracket(c)) {
			endWord();
		}
		else if (c == '=' && word && word.value === null) {
			word.value = '';
		}
		else {
			put(c);
		}

		if (c == '\n')
			line++;

		i++;
	}

	endCommand();
	return found;
}

/* RouterOS writes bytes beyond ASCII as \D0\96: the bytes of UTF-8, or of an old Windows code page. */
function unescapeBytes(value) {
	if (value === null || !value.includes('\\x'))
		return value;

	return value.replace(/(?:\\x[0-9A-F]{2})+/g, (run) => {
		const bytes = Uint8Array.from(run.split('\\x').slice(1), (h) => parseInt(h, 16));

		try {
			return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
		}
		catch (e) {
			return new TextDecoder('windows-1252').decode(bytes);
		}
	});
}

/* Splits a command into where it stands ("interface sstp-client"), what it does ("add") and the words behind that. */
function dissect(words) {
	const path = [];
	let rest = words;

	/* what a terminal shows before a command that was typed: [admin@router] > */
	while (rest.length && rest[0].value === null && /^>$|.@./.test(rest[0].text))
		rest = rest.slice(1);

	while (rest.length && rest[0].value === null && !/^(add|set|export|print)$/.test(path[path.length - 1])) {
		path.push(...rest[0].text.split('/').filter((p) => p));

		if (rest[0].text[0] == '/')
			path.absolute = true;

		rest = rest.slice(1);
	}

	const verb = /^(add|set|export|print)$/.test(path[path.length - 1]) ? path.pop() : '';

	return { menu: path.join(' '), moves: path.absolute === true, verb, words: rest };
}

/* The parameters of each sstp-client in the text: { line, values: { name: value } }. */
function clients(text, errors) {
	const found = [];
	let menu = '';

	for (const words of commands(text, errors)) {
		const c = dissect(words);

		if (c.moves)
			menu = c.menu;

		if (menu != 'interface sstp-client' || (c.verb != 'add' && c.verb != 'set'))
			continue;

		const client = { line: words[0].line, values: {} };

		c.words.forEach((w, i) => {
			if (w.value !== null)
				client.values[w.text] = unescapeBytes(w.value);
			else if (w.text != 'find' && !(c.verb == 'set' && i == 0))
				errors.push({ line: w.line, text: format.fill(_('"%s" has no value: name=value was expected.'), w.text) });
		});

		if (Object.keys(client.values).length)
			found.push(client);
	}

	return found;
}

function server(values, line, errors) {
	const text = values['connect-to'] ?? '', both = validate.splitHostPort(text);

	if (text === '' || !both) {
		errors.push({ line, text: (text === '')
			? _('The tunnel has no connect-to: it does not say which server to connect to.')
			: format.fill(_('connect-to is "%s", which is neither a host name nor an address.'), text) });
		return null;
	}

	const port = both.port ?? values.port ?? DEFAULT_PORT;

	return (port == DEFAULT_PORT) ? both.host : `${both.host.includes(':') ? `[${both.host}]` : both.host}:${port}`;
}

const AUTH = { mschap2: 'mschapv2', chap: 'chap', pap: 'pap' };

/* One tunnel as options of ours. */
function tunnel({ line, values }, errors) {
	const options = {}, notes = [], taken = [ 'connect-to', 'port', 'user', 'password' ],
	      at = server(values, line, errors);

	if (at === null)
		return null;

	options.server = [ at ];

	const take = (name, use) => {
		taken.push(name);

		if (values[name] !== undefined && values[name] !== '')
			use(values[name]);
	};

	if (values.user)
		options.username = values.user;

	if (values.password)
		options.password = values.password;
	else
		notes.push(_('The export has no password; RouterOS 7 leaves it out unless it is told "show-sensitive". Type it in.'));

	take('authentication', (v) => {
		const listed = v.split(','), auth = listed.map((m) => AUTH[m]).filter((m) => m);

		if (listed.includes('mschap1'))
			notes.push(_('MS-CHAP version 1 is not offered: it is broken. Version 2 is used in its place.'));

		/* all that RouterOS knows means that nobody chose */
		if (auth.length && listed.length < 4)
			options.auth = auth;
	});

	take('certificate', (v) => {
		if (v != 'none')
			notes.push(format.fill(_('The client certificate "%s" stays on the other router: export it there, and choose certificate and key under Security.'), v));
	});

	take('verify-server-certificate', () => {});
	take('verify-server-address-from-certificate', () => {});

	if (values['verify-server-certificate'] != 'yes')
		notes.push(_('RouterOS did not verify the server\'s certificate. Here it is verified: run Test connection, and trust the certificate there if it is your server\'s.'));

	take('tls-version', (v) => {
		if (/^only-1[.-]2$/.test(v))
			options.tls_min = '1.2';
	});

	taken.push('add-default-route');
	options.defaultroute = (values['add-default-route'] == 'yes') ? '1' : '0';
	take('default-route-distance', (v) => {
		if (options.defaultroute == '1' && /^[0-9]{1,3}$/.test(v))
			options.metric = v;
	});

	taken.push('proxy-port');
	take('http-proxy', (v) => {
		const p = validate.splitHostPort(v);

		if (p && !/^(0\.0\.0\.0|::)$/.test(p.host))
			options.proxy = `http://${p.host.includes(':') ? `[${p.host}]` : p.host}:${p.port ?? values['proxy-port'] ?? '443'}`;
	});

	take('keepalive-timeout', (v) => {
		const seconds = parseInt(v, 10);

		if (seconds >= 3)
			options.keepalive = `3 ${Math.min(3600, Math.round(seconds / 3))}`;
	});

	for (const name of [ 'max-mtu', 'max-mru' ])
		take(name, (v) => {
			if (validate.mtu(v) === true)
				options.mtu = String(Math.min(+v, +(options.mtu ?? 1500)));
		});

	/* 1500 is RouterOS' default and never fits through a TLS connection in one packet */
	if (options.mtu == '1500')
		delete options.mtu;

	take('dial-on-demand', (v) => {
		if (v == 'yes')
			notes.push(_('Dialing on demand does not exist here: the tunnel stays connected.'));
	});

	take('profile', (v) => {
		if (!/^default/.test(v))
			notes.push(format.fill(_('The PPP profile "%s" stays on the other router; set by hand what it changed.'), v));
	});

	const left = Object.keys(values).filter((k) => !taken.includes(k) && !SILENT.includes(k));

	if (left.length)
		notes.push(format.fill(_('Not taken over: %s.'), left.join(', ')));

	return { name: values.name || at, options, notes };
}

return baseclass.extend({
	recognizes(text) {
		return /\bsstp-client\b/.test(text);
	},

	parse(text) {
		const errors = [], found = clients(text, errors),
		      tunnels = found.map((c) => tunnel(c, errors)).filter((t) => t);

		if (!found.length && !errors.length)
			errors.push({ line: 1, text: _('There is no sstp-client with parameters in here. Export it with "/interface sstp-client export show-sensitive".') });

		return { tunnels, errors };
	}
});
