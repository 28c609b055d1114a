'use strict';
'require dom';
'require form';
'require network';
'require tools.widgets as widgets';
'require uci';
'require ui';
'require sstp.api as api';
'require sstp.dialog as dialog';
'require sstp.errors as errors';
'require sstp.importdialog as importdialog';
'require sstp.killswitchform as killswitchform';
'require sstp.testdialog as testdialog';
'require sstp.validate as validate';

/* The options of the tunnel that a test of the connection needs; what is hidden in the form is not set. */
const PROBE_OPTIONS = [
	'server', 'port', 'username', 'password', 'auth', 'verify', 'insecure_login', 'ca_cert', 'cert_pin', 'server_name', 'sni', 'cert', 'key',
	'tls_min', 'tls_legacy', 'path_secret', 'proxy', 'tunlink', 'mtu', 'sstp_options', 'pppd_options'
];

network.registerPatternVirtual(/^sstp-.+$/);

for (const code in errors.CODES)
	network.registerErrorCode(code, errors.CODES[code]);

/* The daemon's name for the device: what is too long for the kernel keeps its first letters and ends in a hash (FNV-1a). */
function deviceName(name) {
	if (name.length <= 10)
		return `sstp-${name}`;

	let h = 2166136261;

	for (const byte of new TextEncoder().encode(name))
		h = Math.imul(h ^ byte, 16777619);

	h = (h >>> 24) ^ (h & 0xffffff);

	return `sstp-${name.slice(0, 4)}${h.toString(16).padStart(6, '0')}`;
}

return network.registerProtocol('sstp', {
	getI18n() {
		return _('SSTP');
	},

	getIfname() {
		return this._ubus('l3_device') || deviceName(this.sid);
	},

	getPackageName() {
		return 'sstp';
	},

	/* the name of the above up to release 23.05 */
	getOpkgPackage() {
		return 'sstp';
	},

	isFloating() {
		return true;
	},

	isVirtual() {
		return true;
	},

	getDevices() {
		return null;
	},

	containsDevice(ifname) {
		return (network.getIfnameOf(ifname) == this.getIfname());
	},

	/* Nobody could switch it off any more. */
	deleteConfiguration() {
		return killswitchform.remove(this.sid);
	},

	renderFormOptions(s) {
		const options = {}, sid = this.sid;

		dialog.loadStyle();

		/* option of this form by its UCI name */
		const add = (tab, type, name, title, description) => options[name] = s.taboption(tab, type, name, title, description);

		const value = (name) => {
			const o = options[name];

			return (o && o.isActive(sid)) ? o.formvalue(sid) : null;
		};

		/* A check of one value, as it is typed. */
		const check = (name, single) => {
			options[name].validate = (section_id, v) => single(v);
		};

		/* As LuCI marks a field and counts it in its tab, with the sentence below: a refused save says nothing else. */
		const mark = (o, text) => {
			const widget = o.getUIElement(sid)?.node, shown = widget?.parentNode.querySelector('.sstp-field-error');

			if (!widget || (shown?.textContent ?? '') == text)
				return;

			shown?.remove();
			widget.classList.toggle('cbi-input-invalid', text != '');

			if (text)
				widget.parentNode.insertBefore(E('div', { 'class': 'sstp-field-error', 'role': 'alert' }, [ text ]), widget.nextSibling);

			ui.tabs?.updateTabs();
		};

		/* What is wrong with an option as a whole and beside the others: LuCI looks at lists and files only item by item. */
		const checkWhole = (name, single) => {
			const o = options[name], error = () => {
				const bad = [].concat(value(name) || []).map((v) => single(v)).find((ok) => ok !== true);

				return bad ?? validate.together(value)[name] ?? '';
			};

			check(name, single);
			o.getValidationError = error;
			o.onchange = () => mark(o, '');
			o.isValid = () => {
				mark(o, error());
				return error() == '';
			};
		};

		/* A plain option where a list is wanted means its words; one that says the same already stays as it is. */
		const keepsWords = (o) => {
			o.write = (section_id, list) => {
				const old = uci.get('network', section_id, o.option);

				if (typeof old != 'string' || old.trim().split(/\s+/).join(' ') != list.join(' '))
					uci.set('network', section_id, o.option, list);
			};
		};

		/* A choice that is not written while it is what it would be anyway. */
		const usually = (o, v) => {
			o.default = v;
			o.write = (section_id, chosen) => (chosen == v)
				? uci.unset('network', section_id, o.option) : uci.set('network', section_id, o.option, chosen);
		};

		/* A checkbox that is not offered to those who do not look for it; open where it is set. */
		const folded = (o, summary, label) => {
			const render = o.renderWidget;

			o.renderWidget = function(section_id, index, v) {
				const widget = render.apply(this, arguments),
				      box = widget.matches('input') ? widget : widget.querySelector('input[type=checkbox]');

				return E('details', { 'class': 'sstp sstp-folded', ...((v == this.enabled) ? { 'open': '' } : {}) }, [
					E('summary', {}, [ summary ]), E('div', {}, [ widget, E('label', { 'for': box.id }, [ label ]) ])
				]);
			};
		};

		const currentOptions = () => {
			const all = {};

			for (const name of PROBE_OPTIONS) {
				const v = value(name);

				if (v !== null && v !== undefined && v !== '')
					all[name] = v;
			}

			return all;
		};

		const fillIn = (name, v) => {
			const o = s.children.find((c) => c.option == name), el = o?.getUIElement(sid);

			if (!el)
				return;

			el.setValue(v);
			el.triggerValidation?.();
		};

		const trust = (pin, replace) => {
			const pins = replace ? [] : [].concat(value('cert_pin') || []);

			fillIn('cert_pin', [ ...new Set([ ...pins, pin ]) ]);

			/* without verification a fingerprint has no effect */
			if (value('verify') == 'none')
				fillIn('verify', 'pin');

			s.map.checkDepends();
			return Promise.resolve({ value: {} });
		};

		let o;

		s.tab('sstp_security', _('Security'), _('How the server proves who it is, and what is acceptable on the way to it.'));
		s.tab('sstp_auth', _('Authentication'));

		/* --- general --- */

		o = s.taboption('general', form.Button, '_sstp_import', _('Import'), _('Takes the settings from MikroTik RouterOS, Windows or SoftEther.'));
		o.inputtitle = _('Import settings\u2026');
		o.inputstyle = 'neutral';
		o.onclick = () => importdialog.open().then((found) => {
			for (const name in found)
				fillIn(name, found[name]);

			if (found)
				s.map.checkDepends();
		});

		o = add('general', form.DynamicList, 'server', _('Server'), _('Host name or address, with :port where it is not 443. Several servers are tried in this order.'));
		o.placeholder = 'vpn.example.org';
		o.rmempty = false;
		keepsWords(o);
		checkWhole('server', validate.server);

		o = add('general', form.Value, 'port', _('Port'), _('For servers entered without a port.'));
		o.placeholder = '443';
		check('port', validate.port);

		o = add('general', form.Value, 'username', _('User name'), _('As the server wants it, with a domain in front where it has one: DOMAIN\\user.'));
		check('username', validate.credential);

		o = add('general', form.Value, 'password', _('Password'));
		o.password = true;
		check('password', validate.credential);

		o = s.taboption('general', form.Button, '_sstp_test', _('Test'), _('Tries these settings without saving them and without touching the router\'s network.'));
		o.inputtitle = _('Test connection');
		o.inputstyle = 'action';
		o.onclick = () => { testdialog.open(sid, (anyway) => api.probe('', currentOptions(), anyway), trust); };

		/* --- security --- */

		/* The former package's word for no verification counts where nothing else says how to verify. */
		const text = (name) => [].concat(uci.get('network', sid, name) ?? []).join(' '),
		      certWarn = /(^|\s)--cert-warn(\s|$)/.test(text('sstp_options')) && ![ 'verify', 'ca_cert', 'cert_pin' ].some(text);

		o = add('sstp_security', form.ListValue, 'verify', _('Verify the server'));
		o.value('full', _('Authority or fingerprint'));
		o.value('pin', _('Fingerprint only'));
		o.value('none', _('Not at all (insecure)'));
		o.validate = (section_id, v) => validate.together((name) => (name == 'verify') ? v : value(name)).verify ?? true;
		usually(o, 'full');

		if (certWarn) {
			const write = o.write;

			o.load = () => 'none';
			o.write = (section_id, v) => (v == 'full') ? uci.set('network', section_id, 'verify', v) : write(section_id, v);
		}

		for (const [ mode, look, text ] of [
			[ 'full', 'ok', _('The server\'s certificate must be signed by an authority that the router knows and be made out for the server\'s name, or its fingerprint must be listed below.') ],
			[ 'pin', 'ok', _('Only a certificate listed below is accepted, whoever signed it. Safest for a server of your own; needs care when its certificate is renewed.') ],
			[ 'none', 'failed', _('Logins with user name and password are refused: the server is not verified, and anybody on the way who pretends to be it could log in to the real server with them. Trust the server\'s certificate, and they work.') ],
			[ 'login', 'failed', _('Anybody on the way can pretend to be the server, read and change the traffic, log in to the real server in your place and try to find out the password. Use this only to find out what is wrong.') ]
		]) {
			o = s.taboption('sstp_security', form.DummyValue, `_sstp_verify_${mode}`, '\u00a0');
			if (look == 'ok')
				o.depends('verify', mode);
			else
				o.depends({ verify: 'none', insecure_login: (mode == 'login') ? '1' : '0' });
			o.renderWidget = () => E('div', { 'class': `sstp sstp-verdict sstp-tone-${look}` }, [ dialog.mark(look == 'ok' ? 'ok' : 'warn'), E('span', {}, [ text ]) ]);
		}

		o = s.taboption('sstp_security', form.Button, '_sstp_trust', '\u00a0');
		o.depends('verify', 'none');
		o.inputtitle = _('Trust the server\'s certificate\u2026');
		o.inputstyle = 'positive important';
		o.onclick = () => {
			let fetched = false;

			/* the certificate comes without a login, then everything is tested with it */
			testdialog.open(sid, (anyway) => api.probe('', fetched ? currentOptions() : { ...currentOptions(), username: '', password: '' }, anyway), (...pin) => {
				fetched = true;
				return trust(...pin);
			}, true);
		};

		o = add('sstp_security', form.Flag, 'insecure_login', '\u00a0');
		o.default = o.disabled;
		o.depends('verify', 'none');

		if (certWarn) {
			o.load = () => text('insecure_login') || '1';
			o.write = () => uci.unset('network', sid, 'insecure_login');
			o.remove = (section_id) => value('verify') == 'none' ? uci.set('network', section_id, 'insecure_login', '0') : uci.unset('network', section_id, 'insecure_login');
		}

		folded(o, _('Details'), _('Log in although the server is not verified'));

		o = add('sstp_security', form.DynamicList, 'cert_pin', _('Trusted fingerprints'), _('Test connection shows the server\'s certificate and can enter its fingerprint here.'));
		o.placeholder = 'sha256:\u2026';
		o.depends('verify', 'full');
		o.depends('verify', 'pin');
		keepsWords(o);
		checkWhole('cert_pin', validate.pin);
		o.onchange = () => {
			mark(options.cert_pin, '');
			options.verify.triggerValidation(sid);
		};

		o = add('sstp_security', form.FileUpload, 'ca_cert', _('Certificate authority'), _('PEM file with the authority that signed the server\'s certificate. It replaces the router\'s own list for this tunnel.'));
		o.root_directory = '/etc/luci-uploads';
		o.depends('verify', 'full');
		checkWhole('ca_cert', validate.file);

		o = add('sstp_security', form.Value, 'server_name', _('Name in the certificate'), _('Where it differs from the server\'s name, for example when the server is dialed by its address.'));
		o.placeholder = _('the server\'s name');
		check('server_name', validate.host);

		o = add('sstp_security', form.Value, 'sni', _('Name sent in the clear (SNI)'), _('Where it must differ from the name in the certificate. A single - sends none.'));
		o.placeholder = _('the name in the certificate');
		check('sni', validate.sni);

		o = add('sstp_security', form.FileUpload, 'cert', _('Client certificate'), _('PEM file, for servers that ask for one in TLS or log in with EAP-TLS.'));
		o.root_directory = '/etc/luci-uploads';
		checkWhole('cert', validate.file);

		o = add('sstp_security', form.FileUpload, 'key', _('Private key'), _('PEM file with the key of the client certificate. It stays on the router.'));
		o.root_directory = '/etc/luci-uploads';
		checkWhole('key', validate.file);

		o = add('sstp_security', form.ListValue, 'tls_min', _('Oldest TLS version'), _('Versions below 1.2 have known weaknesses.'));
		o.value('1.3');
		o.value('1.2', _('1.2 (default)'));
		o.value('1.1');
		o.value('1.0');
		usually(o, '1.2');

		o = add('sstp_security', form.Flag, 'tls_legacy', _('Old ciphers'), _('Also offers RSA key exchange and CBC, for old RouterOS and Windows servers. Without need they weaken the encryption.'));
		o.default = o.disabled;

		/* --- authentication --- */

		o = add('sstp_auth', form.DynamicList, 'auth', _('Methods'), _('In order of preference; nothing else is ever used. If empty: MS-CHAPv2, then EAP-MSCHAPv2, and EAP-TLS before both where there is a client certificate.'));
		o.value('mschapv2', _('MS-CHAPv2'));
		o.value('eap-mschapv2', _('EAP-MSCHAPv2'));
		o.value('eap-tls', _('EAP-TLS (client certificate)'));
		o.value('chap', _('CHAP (weak)'));
		o.value('pap', _('PAP (shows the server the password)'));
		keepsWords(o);
		checkWhole('auth', validate.authMethod);

		o = add('sstp_auth', form.Flag, 'authfail', _('Stop after a refused password'), _('Otherwise it is tried again after a minute, then ever less often, up to once an hour.'));
		o.default = o.disabled;

		o = add('sstp_auth', form.Value, 'maxfail', _('Give up after failed calls'), _('0: never.'));
		o.placeholder = '0';
		check('maxfail', validate.attempts);

		/* --- kill switch --- */

		killswitchform.add(s, sid, mark);

		/* --- advanced --- */

		o = add('advanced', widgets.NetworkSelect, 'tunlink', _('Uplink'), _('The interface over which to reach the server. If not set: the one with the best default route, and another when that is lost.'));
		o.exclude = sid;
		o.nocreate = true;
		o.optional = true;

		o = add('advanced', form.Value, 'proxy', _('HTTP proxy'), _('The server is reached through this proxy. With a login: http://user:password@host:port.'));
		o.placeholder = 'http://proxy.example.org:3128';
		o.password = true;
		check('proxy', validate.proxy);

		o = add('advanced', form.Value, 'path_secret', _('Path secret'), _('For servers that hide behind it: it is appended to the request\'s path.'));
		o.password = true;
		check('path_secret', validate.pathSecret);

		o = add('advanced', form.ListValue, 'ipv6', _('IPv6 in the tunnel'), _('Adds an interface with _6 behind its name, which asks the server for an address.'));
		o.value('auto', _('If the server offers it'));
		o.value('1', _('Always ask for it'));
		o.value('0', _('Off'));
		usually(o, 'auto');

		o = add('advanced', form.Value, 'mtu', _('MTU'), _('Largest packet in the tunnel, in bytes.'));
		o.placeholder = '1400';
		check('mtu', validate.mtu);

		o = add('advanced', form.Value, 'keepalive', _('Keepalive'), _('How many requests may stay unanswered, and after how many seconds of silence one is sent.'));
		o.placeholder = '3 10';
		check('keepalive', validate.keepalive);

		o = add('advanced', form.Value, 'hold', _('Hold time'), _('Seconds for which addresses and routes stay while a lost connection is dialed again, so that what runs through the tunnel lives on. For ever: until it is back or the interface is stopped, traffic is refused and takes no other way.'));
		o.placeholder = '30';
		o.value('30', _('30 seconds (default)'));
		o.value('300', _('5 minutes'));
		o.value('forever', _('Keep the tunnel\'s routes for ever (nothing leaves by another way)'));
		check('hold', validate.hold);

		o = add('advanced', form.ListValue, 'ktls', _('Encryption by the kernel'), _('Faster on processors for which the kernel has better ciphers; falls back where it is missing.'));
		o.value('auto', _('Where it is faster'));
		o.value('1', _('Always'));
		o.value('0', _('Never'));
		usually(o, 'auto');

		o = add('advanced', form.Flag, 'offload', _('Large segments'), _('Lets the kernel hand over many packets at once. Switch it off only where traffic stalls.'));
		o.default = o.enabled;

		o = add('advanced', form.Value, 'congestion', _('TCP congestion control'), _('For the connection to the server.'));
		o.placeholder = _('the router\'s default');
		check('congestion', validate.congestion);

		o = add('advanced', form.ListValue, 'log_level', _('Log'), _('What is written to the system log.'));
		o.value('0', _('Errors'));
		o.value('1', _('Errors and warnings'));
		o.value('2', _('Normal'));
		o.value('3', _('Details'));
		o.value('4', _('Everything (slow)'));
		usually(o, '2');

		/* --- what the package sstp-client left behind --- */

		for (const [ name, program ] of [ [ 'sstp_options', 'sstpc' ], [ 'pppd_options', 'pppd' ] ]) {
			if (!uci.get('network', sid, name))
				continue;

			o = add('advanced', form.Value, name, _('Old options of %s').replace('%s', program), _('Left by the former SSTP package. What is known in it still works, unless its own option is set; the status page names what does not. Clear it once everything is set above.'));
		}
	}
});
