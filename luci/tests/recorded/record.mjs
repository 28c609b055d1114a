// Records the answers of a real daemon on a real router into this folder. Run by
//   go run ./src/integration/openwrt --rootfs DIR --serve -- node luci/tests/recorded/record.mjs
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { control, names, pause, shell } from '../control.mjs';

const quote = (s) => `'${s.replaceAll("'", "'\\''")}'`;

async function ubus(object, method, args = {}) {
	const text = await shell(`ubus call ${object} ${method} ${quote(JSON.stringify(args))}`);

	try {
		return JSON.parse(text);
	}
	catch {
		throw new Error(`${object} ${method}: ${text}`);
	}
}

async function until(what, holds) {
	for (let n = 0; n < 120; n++) {
		const found = await holds().catch(() => null);

		if (found)
			return found;
		await pause(250);
	}

	throw new Error(`it never came to this: ${what}`);
}

const status = () => ubus('sstp.vpn', 'status'), inState = (...states) => until(states.join(), async () => {
	const s = await status();

	return states.includes(s.state) && s;
});

function keep(name, value) {
	writeFileSync(fileURLToPath(new URL(`${name}.json`, import.meta.url)), JSON.stringify(value, null, '\t') + '\n');
	console.log(name);
}

async function configure(options) {
	const all = { proto: 'sstp', server: names.server, username: names.username, password: names.password, ...options };

	await shell(`uci -q delete network.vpn; uci set network.vpn=interface
${Object.entries(all).map(([ k, v ]) => `uci set network.vpn.${k}=${quote(v)}`).join('\n')}
uci commit network; ubus call network reload; ifup vpn`);
}

const probe = (options, anyway = true) => ubus('sstp', 'probe', { interface: 'vpn', options, anyway });

await shell(`cat > /etc/ca.pem <<'PEM'\n${await control('GET', '/server/ca')}PEM\n`);
keep('tunnels-none', await ubus('sstp', 'tunnels'));

/* a router without IPv6 outside of the tunnel */
await shell('uci -q delete network.wan.ip6gw; uci -q delete network.wan.ip6addr; uci commit network; ubus call network reload; ip -6 route del default').catch(() => null);

await configure({ ca_cert: '/etc/ca.pem' });
await inState('up');
await shell(`ping -c 5 -i 0.2 ${names.inside}`);
keep('status-up', await until('a round trip, and the ways', async () => { const s = await status(); return s.rtt_ms && s.reach?.internet.ok && s.reach.ipv6.ok && s; }));
keep('history-up', await ubus('sstp.vpn', 'history'));
keep('tunnels', await ubus('sstp', 'tunnels'));
keep('interfaces', await ubus('network.interface', 'dump'));
keep('handlers', { sstp: (await ubus('network', 'get_proto_handlers')).sstp });
keep('probe-passed', await probe({}));
keep('probe-held', await probe({}, false));
keep('probe-no-login', await probe({ username: '', password: '' }));
keep('probe-untrusted', await probe({ ca_cert: '' }));
keep('probe-wrong-name', await probe({ server_name: 'other.example' }));
keep('probe-wrong-pin', await probe({ verify: 'pin', cert_pin: [ `sha256:${'0'.repeat(64)}` ] }));
keep('probe-not-verified', await probe({ verify: 'none', ca_cert: '' }));
keep('probe-wrong-password', await probe({ password: 'wrong' }));
keep('probe-no-name', await probe({ server: [ 'nowhere.example' ] }));
keep('probe-refused', await probe({ server: [ '203.0.113.1:9' ] }));
keep('probe-several', await probe({ server: [ '203.0.113.1:9', names.server ] }));
keep('probe-bad-option', await probe({ mtu: '90' }));

await control('POST', '/server/kill');
keep('status-holding', await inState('holding'));
await control('POST', '/server/start', '');
await inState('up');

await configure({ ca_cert: '' });
keep('status-untrusted', await until('a failure', async () => { const s = await status(); return s.state == 'waiting' && s.last_error && s; }));
keep('history-untrusted', await ubus('sstp.vpn', 'history'));

await configure({ ca_cert: '/etc/ca.pem', password: 'wrong' });
keep('status-wrong-password', await until('a failure', async () => { const s = await status(); return s.state == 'waiting' && s.last_error && s; }));

await configure({ verify: 'none', insecure_login: '1', sstp_options: '--frobnicate --cert-warn', pppd_options: 'mtu 1300 unknownword' });
keep('status-not-verified', await inState('up'));

await configure({ cert_pin: names.fingerprint, verify: 'pin' });
keep('status-pinned', await until('the pin', async () => { const s = await status(); return s.state == 'up' && s.tls.verified_by.startsWith('pin') && s; }));

/* another VPN's routes, no zone, and a kill switch from which a rule was taken */
await shell(`for n in 0 1 2 3; do uci -q del_list firewall.@zone[$n].network=vpn; done; uci commit firewall; sstp killswitch vpn on --except 192.168.1.7
uci delete firewall.sstp_vpn_reject_1; uci del_list firewall.sstp_vpn_zone.network=vpn; uci commit firewall; fw4 -q reload
set -- $(ip route show default dev eth1); for half in 0.0.0.0/1 128.0.0.0/1; do ip route add $half via $3 dev eth1; done`).catch((e) => console.log(e.message));
keep('status-elsewhere', await until('traffic goes elsewhere', async () => { const s = await status(); return s.reach?.internet.key == 'reach_other' && s.reach.firewall.key == 'zone_none' && s.killswitch?.problems.length && s; }));

await shell('ifdown vpn');
await pause(1500);
keep('interfaces-down', await ubus('network.interface', 'dump'));
