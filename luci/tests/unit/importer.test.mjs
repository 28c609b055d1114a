import { test } from 'node:test';
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { load } from '../load.mjs';

const importer = load('sstp.importer');
const one = (text) => {
	const r = importer.parse(text);

	assert.deepEqual(r.errors, []);
	assert.equal(r.tunnels.length, 1);
	return r.tunnels[0];
};
const errors = (text) => importer.parse(text).errors.map((e) => `${e.line}: ${e.text}`);

const ROUTEROS = String.raw`# 2026-03-01 10:00:00 by RouterOS 7.14
# software id = ABCD-1234
#
# model = RB5009UG+S+
/interface bridge
add name=bridge1
/interface sstp-client
add add-default-route=yes authentication=mschap2 certificate=office.crt_0 \
    comment="to the \"office\"" connect-to=vpn.example.org:4433 \
    default-route-distance=10 disabled=no http-proxy=10.0.0.1:3128 \
    keepalive-timeout=30 max-mtu=1450 name=sstp-out1 password="p\$ a\\s\"s" \
    profile=office tls-version=only-1.2 user="CORP\\j\D0\BEhn" \
    verify-server-certificate=yes
/ip address
add address=192.168.1.1/24 interface=bridge1
`;

test('RouterOS: an export with line breaks, quotes, escapes and other menus', () => {
	const t = one(ROUTEROS);

	assert.equal(importer.parse(ROUTEROS).format, 'MikroTik RouterOS (export)');
	assert.equal(t.name, 'sstp-out1');
	assert.deepEqual(t.options, {
		server: [ 'vpn.example.org:4433' ], username: 'CORP\\j\u043ehn', password: 'p$ a\\s"s', auth: [ 'mschapv2' ], tls_min: '1.2',
		defaultroute: '1', metric: '10', proxy: 'http://10.0.0.1:3128', keepalive: '3 10', mtu: '1450'
	});
	assert.equal(t.notes.length, 2, 'certificate and profile stay behind');
	assert.match(t.notes[0], /"office\.crt_0"/);
});

test('RouterOS: one line as it is typed, and the slashes of RouterOS 7', () => {
	for (const line of [
		'/interface sstp-client add connect-to=vpn.example.org user=u password=p verify-server-certificate=yes',
		'/interface/sstp-client/add connect-to=vpn.example.org user=u password=p verify-server-certificate=yes',
		'[admin@MikroTik] > /interface sstp-client add connect-to=vpn.example.org user=u password=p verify-server-certificate=yes',
		'[admin@MikroTik] /interface/sstp-client> add connect-to=x.y'.replace(/.*/, '/interface sstp-client\r\nset [ find name=a ] connect-to=vpn.example.org user=u password=p verify-server-certificate=yes\r\n')
	]) {
		const t = one(line);

		assert.deepEqual(t.options, { server: [ 'vpn.example.org' ], username: 'u', password: 'p', defaultroute: '0' });
		assert.deepEqual(t.notes, []);
	}
});

test('RouterOS: what cannot be taken over is said', () => {
	const t = one('/interface sstp-client\nadd authentication=pap,chap,mschap1 connect-to=[2001:db8::1]:443 dial-on-demand=yes http-proxy=0.0.0.0:443 frobnicate=1 max-mru=1500');

	assert.deepEqual(t.options, { server: [ '2001:db8::1' ], auth: [ 'pap', 'chap' ], defaultroute: '0' });
	assert.match(t.notes.join('\n'), /password[^]*MS-CHAP version 1[^]*did not verify[^]*on demand[^]*frobnicate/);
});

test('RouterOS: several tunnels, and one bad one among them', () => {
	const r = importer.parse('/interface sstp-client\nadd name=a connect-to=a.example\nadd name=b\nadd name=c connect-to="https://c.example"\nadd name=d connect-to=d.example');

	assert.deepEqual(r.tunnels.map((t) => t.name), [ 'a', 'd' ]);
	assert.deepEqual(r.errors.map((e) => e.line), [ 3, 4 ]);
	assert.match(r.errors[1].text, /"https:\/\/c\.example"/);
});

test('RouterOS: a bad file says where', () => {
	assert.match(errors('/interface sstp-client\nadd connect-to=a.example \\\n    user="open\n').join(), /^3: .*never closed/);
	assert.match(errors('/interface sstp-client\nadd connect-to=a.example user').join(), /^2: "user" has no value/);
	assert.match(errors('/interface sstp-client export\n').join(), /^1: There is no sstp-client/);
});

const PBK = `[Office VPN]
Encoding=1
PBVersion=8
Type=2
AutoLogon=0
VpnStrategy=5
IpPrioritizeRemote=0
IpDnsAddress=10.1.0.53
IpDns2Address=0.0.0.0
CustomAuthKey=26
RequireEAP=1
RequireMSCHAP2=0
NumServers=1
ServerListServerName=backup.example.org
ServerListFriendlyName=Backup

NETCOMPONENTS=
ms_msclient=1

MEDIA=rastapi
Port=VPN2-0
Device=WAN Miniport (SSTP)

DEVICE=vpn
PhoneNumber=vpn.example.org:8443
AreaCode=
CountryCode=0
`.replaceAll('\n', '\r\n');

test('Windows: a phone book entry', () => {
	const t = one(PBK);

	assert.equal(importer.parse(PBK).format, 'Windows (.pbk)');
	assert.equal(t.name, 'Office VPN');
	assert.deepEqual(t.options, {
		server: [ 'vpn.example.org:8443', 'backup.example.org' ], auth: [ 'eap-mschapv2' ], defaultroute: '0', peerdns: '0', dns: [ '10.1.0.53' ]
	});
	assert.match(t.notes.join(), /type them in/);
});

test('Windows: what logs in otherwise', () => {
	const entry = (more) => one(`[x]\nPhoneNumber=a.example\n${more}`);

	assert.deepEqual(entry('VpnStrategy=6\nRequireMsCHAP2=1\nRequirePAP=1').options.auth, [ 'mschapv2', 'pap' ]);
	assert.deepEqual(entry('VpnStrategy=6\nAuthRestrictions=128\nCustomAuthKey=13').options.auth, [ 'eap-tls' ]);
	assert.equal(entry('VpnStrategy=6\nAuthRestrictions=128\nCustomAuthKey=25').options.auth, undefined);
	assert.match(entry('AuthRestrictions=128\nCustomAuthKey=25').notes.join(), /PEAP.*by itself/);
});

test('Windows: entries that are no SSTP are named with their line', () => {
	const r = importer.parse('[dsl]\nType=5\nPhoneNumber=x\n[old]\nType=2\nVpnStrategy=1\nPhoneNumber=x\n[bare]\nVpnStrategy=5\nPhoneNumber=\n[bad]\nPhoneNumber=https://x\n[good]\nPhoneNumber=x');

	assert.deepEqual(r.tunnels.map((t) => t.name), [ 'good' ]);
	assert.deepEqual(r.errors.map((e) => e.line), [ 1, 4, 8, 11 ]);
	assert.match(r.errors[1].text, /\[old\].*VpnStrategy is 1/);
	assert.match(errors('PhoneNumber=x\n[a]\nPhoneNumber=x\nrubbish').join('\n'), /^1: .*before the first[^]*4: "rubbish"/);
});

const DER = Buffer.from('308201223081', 'hex');
const softether = (root, option, auth) => `\ufeff# VPN Client VPN Connection Setting File
# 
declare root
{
${root}
	uint64 CreateDateTime 0

	declare ClientAuth
	{
${auth}
	}
	declare ClientOption
	{
		string AccountName My$20VPN
		string HubName OFFICE
		uint MaxConnection 1
		uint Port 992
${option}
	}
}
`;

test('SoftEther: a connection setting with a stored certificate', () => {
	const text = softether(`	bool CheckServerCert true\n	byte ServerCert ${DER.toString('base64')}`,
		'\t\tstring Hostname vpn.example.org\n\t\tuint ProxyType 1\n\t\tstring ProxyName proxy\n\t\tuint ProxyPort 8080\n\t\tstring ProxyUsername m$24e',
		'\t\tuint AuthType 1\n\t\tbyte HashedPassword AAAA\n\t\tstring Username j$C3$A4n');
	const t = one(text);

	assert.equal(importer.parse(text).format, 'SoftEther VPN Client (.vpn)');
	assert.equal(t.name, 'My VPN');
	assert.deepEqual(t.options, {
		server: [ 'vpn.example.org:992' ], username: 'j\u00e4n@OFFICE', proxy: 'http://m%24e@proxy:8080',
		verify: 'pin', cert_pin: [ 'sha256:' + createHash('sha256').update(DER).digest('hex') ]
	});
	assert.match(t.notes.join(), /cannot use.*proxy's password/);
});

test('SoftEther: the public servers of VPN Gate', () => {
	const t = one(softether('	bool CheckServerCert false', '\t\tstring Hostname public-vpn-1.opengw.net/tcp\n\t\tuint ProxyType 0\n\t\tstring ProxyName $',
		'\t\tuint AuthType 0\n\t\tstring Username vpn').replace('HubName OFFICE', 'HubName VPNGATE'));

	assert.deepEqual(t.options, { server: [ 'public-vpn-1.opengw.net:992' ], username: 'vpn', password: 'vpn' });
});

test('SoftEther: other ways to log in', () => {
	const login = (type, user) => one(softether('', '\t\tstring Hostname a.example\n\t\tuint ProxyType 3\n\t\tstring ProxyName p', `\t\tuint AuthType ${type}\n\t\tstring Username ${user}`));

	assert.match(login(0, '$').notes.join(), /SOCKS|anonymous/);
	assert.equal(login(0, '$').options.username, undefined);
	assert.deepEqual(login(3, 'u').options.auth, [ 'eap-tls' ]);
	assert.match(login(4, 'u').notes.join(), /smart card/);
});

test('SoftEther: a bad file says where', () => {
	assert.match(errors('declare root\n{\n\tdeclare ClientOption\n\t{\n\t\tstring Hostname a.example\n').join(), /^3: .*never closed/);
	assert.match(errors('declare root\n{\n\trubbish\n}\n').join('\n'), /^3: "rubbish"[^]*1: .*no "declare ClientOption"/);
	assert.match(errors('declare ClientOption\n{\n\tstring Hostname $\n}').join(), /^3: There is no Hostname/);
	assert.match(errors('declare ClientOption\n{\n\tstring Hostname a.example\n\tuint Port 99999\n}').join(), /^4: /);
	assert.match(errors('declare root\n{\n\tbyte ServerCert ***\n\tdeclare ClientOption\n\t{\n\t\tstring Hostname a.example\n\t}\n}').join(), /^3: .*base64/);
});

test('what is none of them says so', () => {
	for (const text of [ '', 'hello', '<html></html>', '{"a":1}', '-----BEGIN CERTIFICATE-----', 'a\0b', 'x'.repeat(300000) ]) {
		const r = importer.parse(text);

		assert.deepEqual(r.tunnels, []);
		assert.equal(r.errors.length, 1);
	}
});

test('files are read as what wrote them: UTF-16, UTF-8, an old code page', () => {
	const text = '[B\u00fcro]\r\nPhoneNumber=vpn.example.org\r\n';

	for (const bytes of [ Buffer.from(text), Buffer.from('\ufeff' + text), Buffer.from('\ufeff' + text, 'utf16le'), Buffer.from('\ufeff' + text, 'utf16le').swap16(), Buffer.from(text, 'latin1') ])
		assert.equal(one(importer.decode(bytes)).name, 'B\u00fcro');
});

test('no text at all makes a parser fall over', () => {
	const words = [ '/interface sstp-client', 'add', 'set', 'connect-to=a', '"', '\\', '\\\n', '\n', '[', ']', '=', '$', '{', '}', 'declare', 'declare x', 'PhoneNumber=', '[a]', 'string', 'byte ServerCert', '\ud83d', '<img src=x onerror=alert(1)>', '; ', '#', '@', '>' ];
	let seed = 7;
	const pick = () => words[(seed = seed * 1103515245 + 12345 & 0x7fffffff) % words.length];

	for (let n = 0; n < 20000; n++) {
		const text = Array.from({ length: 1 + n % 12 }, pick).join(n % 3 ? ' ' : '\n'), r = importer.parse(text), lines = text.split('\n').length;

		for (const e of r.errors)
			assert.ok(e.text && e.line >= 1 && e.line <= lines, JSON.stringify([ text, e ]));
		for (const t of r.tunnels)
			assert.ok(t.options.server.length, JSON.stringify(text));
	}
});
