'use strict';
'require baseclass';
'require sstp.format as format';
'require sstp.validate as validate';

/*
 * A Windows phone book (rasphone.pbk): one section in brackets for each connection, lines Name=Value, and within a section
 * one block for each device, of which that with the PhoneNumber says where to connect to. The meaning of VpnStrategy and
 * the numbers of EAP methods: RASENTRY in the Windows SDK (ras.h, raseapif.h).
 */

/* VpnStrategy: what Windows tries. 5 is SSTP alone, 6 SSTP first; automatic (0) and the lists from 12 on have SSTP, too. */
const OTHER_STRATEGIES = { 1: 'PPTP', 3: 'L2TP', 7: 'IKEv2' };

const TYPE_VPN = '2';
const EAP_METHODS = { 13: 'eap-tls', 26: 'eap-mschapv2' };
const EAP_RESTRICTION = 0x80;

function sections(text, errors) {
	const found = [];

	text.split(/\r?\n/).forEach((raw, i) => {
		const line = raw.trim(), head = line.match(/^\[(.*)\]$/), pair = line.match(/^([^=]+)=(.*)$/);

		if (line === '' || line[0] == ';')
			return;

		if (head)
			found.push({ name: head[1], line: i + 1, values: {} });
		else if (!pair)
			errors.push({ line: i + 1, text: format.fill(_('"%s" is neither [section] nor Name=Value.'), line.slice(0, 60)) });
		else if (!found.length)
			errors.push({ line: i + 1, text: _('There is a value before the first [section].') });
		else
			(found[found.length - 1].values[pair[1].trim().toLowerCase()] ??= []).push(pair[2].trim());
	});

	return found;
}

function methods(one, notes) {
	const auth = [], restrictions = parseInt(one('authrestrictions') || '0', 10),
	      eap = one('requireeap') == '1' || (restrictions & EAP_RESTRICTION) != 0;

	if (eap && EAP_METHODS[one('customauthkey')])
		auth.push(EAP_METHODS[one('customauthkey')]);
	else if (eap)
		notes.push((one('customauthkey') == '25')
			? _('The connection logs in with PEAP, which is not offered here. Ask whether the server takes MS-CHAPv2 or EAP-TLS, too.')
			: _('The connection logs in with an EAP method that is not offered here.'));

	if (one('requiremschap2') == '1')
		auth.push('mschapv2');
	if (one('requirechap') == '1')
		auth.push('chap');
	if (one('requirepap') == '1')
		auth.push('pap');

	if (auth.includes('eap-tls'))
		notes.push(_('The client certificate stays in Windows: export it there, and choose certificate and key under Security.'));

	return auth;
}

/* One section as options of ours, null where it is another kind of connection. */
function tunnel(section, errors) {
	const options = {}, notes = [],
	      all = (name) => (section.values[name] ?? []).filter((v) => v !== ''),
	      one = (name) => all(name)[0] ?? '',
	      fail = (text) => (errors.push({ line: section.line, text: format.fill(text, section.name, one('vpnstrategy')) }), null);

	if (one('type') && one('type') != TYPE_VPN)
		return fail(_('[%s] is no VPN connection.'));

	if (OTHER_STRATEGIES[one('vpnstrategy')])
		return fail(_('[%s] never uses SSTP: its VpnStrategy is %s.'));

	const servers = [ ...all('phonenumber').slice(0, 1), ...all('serverlistservername') ];

	if (!servers.length)
		return fail(_('[%s] has no PhoneNumber: it does not say which server to connect to.'));

	for (const s of servers)
		if (!validate.splitHostPort(s))
			return fail(_('[%s] connects to something that is neither a host name nor an address.'));

	options.server = [ ...new Set(servers) ];

	const auth = methods(one, notes);

	if (auth.length)
		options.auth = auth;

	if (one('ipprioritizeremote'))
		options.defaultroute = (one('ipprioritizeremote') == '0') ? '0' : '1';

	const dns = [ one('ipdnsaddress'), one('ipdns2address') ].filter((a) => a && a != '0.0.0.0' && validate.isHost(a));

	if (dns.length) {
		options.peerdns = '0';
		options.dns = dns;
	}

	if (one('vpnstrategy') != '5' && one('vpnstrategy') != '6')
		notes.push(_('Windows chooses the protocol of this connection by itself; whether the server knows SSTP, Test connection will tell.'));

	notes.push(_('Windows keeps user name and password elsewhere: type them in.'));

	return { name: section.name, options, notes };
}

return baseclass.extend({
	recognizes(text) {
		return /^\s*\[.*\]\s*$/m.test(text) && /^\s*(phonenumber|vpnstrategy|pbversion)\s*=/im.test(text);
	},

	parse(text) {
		const errors = [], tunnels = sections(text, errors).map((s) => tunnel(s, errors)).filter((t) => t);

		return { tunnels, errors };
	}
});
