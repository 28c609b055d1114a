'use strict';
'require baseclass';
'require dom';
'require sstp.dialog as dialog';
'require sstp.errors as errors';
'require sstp.format as format';
'require sstp.importer as importer';

/*
 * Import: a file or pasted text, what was understood of it, and what was not. Nothing leaves the browser.
 */

const NAMES = {
	server: _('Server'), username: _('User name'), password: _('Password'), auth: _('Authentication methods'), verify: _('Verification'),
	cert_pin: _('Trusted fingerprints'), tls_min: _('Oldest TLS version'), defaultroute: _('Use as default route'), metric: _('Metric'),
	proxy: _('HTTP proxy'), keepalive: _('Keepalive'), mtu: _('MTU'), peerdns: _('DNS servers of the tunnel'), dns: _('DNS servers')
};

function shown(name, value) {
	if (name == 'password')
		return '\u2022'.repeat(8);
	if (name == 'proxy')
		return value.replace(/:[^:@\x2f]*@/, ':\u2022\u2022\u2022\u2022@');
	if (name == 'defaultroute' || name == 'peerdns')
		return (value == '1') ? _('yes') : _('no');

	if (name == 'auth')
		return value.map((m) => errors.method(m)).join(', ');

	return [].concat(value).join(', ');
}

function preview(result, chosen) {
	const t = result.tunnels[chosen];

	return [
		...result.errors.map((e) => E('p', { 'class': 'sstp-verdict sstp-tone-failed' }, [ dialog.mark('failed'), E('span', {}, [
			E('strong', {}, [ format.fill(_('Line %s'), e.line) ]), ': ', e.text
		]) ])),
		t ? E('dl', { 'class': 'sstp-facts' }, Object.entries(t.options).flatMap(([ name, value ]) => [
			E('dt', {}, [ NAMES[name] ?? name ]),
			E('dd', {}, [ shown(name, value) ])
		])) : '',
		(t && t.notes.length) ? E('ul', { 'class': 'sstp-notes' }, t.notes.map((n) => E('li', {}, [ n ]))) : ''
	];
}

return baseclass.extend({
	/* Resolves to the options to fill in, or null. */
	open() {
		const d = dialog.open(_('Import settings')),
		      file = E('input', { 'type': 'file', 'id': 'sstp-import-file', 'accept': '.rsc,.pbk,.vpn,.txt,text/plain', 'class': 'sstp-hidden' }),
		      text = E('textarea', { 'id': 'sstp-import-text', 'class': 'cbi-input-textarea', 'rows': '6', 'spellcheck': 'false', 'autocomplete': 'off' }),
		      which = E('select', { 'id': 'sstp-import-which', 'class': 'cbi-input-select' }),
		      whichRow = E('p', { 'hidden': '' }, [ E('label', { 'for': 'sstp-import-which' }, [ _('Tunnel') ]), ' ', which ]),
		      found = E('div', { 'role': 'status', 'aria-live': 'polite', 'class': 'sstp-import-found' }),
		      drop = E('div', { 'class': 'sstp-drop' }, [
			E('p', {}, [ _('Drop a file here, or') ]),
			file, E('label', { 'for': 'sstp-import-file', 'class': 'btn cbi-button cbi-button-neutral' }, [ _('Choose a file\u2026') ]),
			E('p', { 'class': 'sstp-hint' }, [ _('MikroTik RouterOS: export of /interface sstp-client. Windows: rasphone.pbk. SoftEther VPN Client: .vpn.') ])
		      ]),
		      fill = dialog.button(_('Fill in the form'), 'positive important', () => {
			choice = result.tunnels[which.selectedIndex]?.options ?? null;
			d.close();
		      }, { 'disabled': '' });
		let result = { tunnels: [], errors: [] }, choice = null;

		const refresh = () => {
			dom.content(found, [ result.format ? E('p', { 'class': 'sstp-strong' }, [ result.format ]) : '', ...preview(result, which.selectedIndex) ]);
			fill.disabled = !result.tunnels.length;
		};

		const understand = () => {
			result = text.value.trim() ? importer.parse(text.value) : { tunnels: [], errors: [] };
			dom.content(which, result.tunnels.map((t) => E('option', {}, [ t.name ])));
			whichRow.hidden = result.tunnels.length < 2;
			refresh();
		};

		const read = (f) => {
			if (!f)
				return;

			if (f.size > importer.MOST_BYTES) {
				text.value = '';
				result = { tunnels: [], errors: [ { line: 1, text: _('The file is larger than 256 KiB: that is no connection setting.') } ] };
				refresh();
				return;
			}

			f.arrayBuffer().then((bytes) => {
				text.value = importer.decode(bytes);
				understand();
			});
		};

		file.addEventListener('change', () => read(file.files[0]));
		text.addEventListener('input', understand);
		which.addEventListener('change', refresh);

		for (const kind of [ 'dragenter', 'dragover', 'dragleave', 'drop' ])
			drop.addEventListener(kind, (ev) => {
				ev.preventDefault();
				drop.classList.toggle('sstp-drop-over', kind == 'dragenter' || kind == 'dragover');

				if (kind == 'drop')
					read(ev.dataTransfer.files[0]);
			});

		d.body.append(drop,
			E('p', {}, [ E('label', { 'for': 'sstp-import-text' }, [ _('Or paste its text:') ]) ]), text,
			whichRow, found);
		d.footer.append(dialog.button(_('Cancel'), 'neutral', d.close), fill);

		return d.closed.then(() => choice);
	}
});
