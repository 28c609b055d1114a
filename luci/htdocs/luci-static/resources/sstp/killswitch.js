'use strict';
'require baseclass';
'require sstp.validate as validate';

/*
 * The kill switch as the router's program computes it (src/killswitch): from the sections of the configuration and a request
 * come the sections with the switch. Both pass the same test vectors, so that what one made the other knows and takes away.
 *
 * A state is { firewall: [ section ], network: [ section ] }; a section is { '.type', '.name', option: text or list of texts },
 * in the order of the configuration. Nothing here changes what it is given, or touches the page or the router.
 */

/* The mark of the packets that the tunnel's program sends by the uplink. */
const MARK = '0x10000000/0x10000000';

/* Protocols by which a router gets its way to the internet. */
const UPLINK_PROTOS = [ 'dhcp', 'dhcpv6', 'ppp', 'pppoe', 'pppoa', 'pptp', 'l2tp', '3g', 'qmi', 'ncm', 'mbim', 'directip',
	'modemmanager', 'wwan', 'map', '464xlate', 'dslite', '6in4', '6rd', '6to4' ];

/* The kinds of sections that the switch makes: one of each, and numbered ones. */
const SINGLE = [ 'zone', 'killswitch' ], NUMBERED = [ 'input', 'except', 'reject', 'call', 'names', 'router', 'forward', 'mark', 'way' ];

/* The longest name of a zone that fw3 takes. */
const MAX_ZONE_NAME = 11;

/* Why the switch cannot be turned on, and what is wrong with one that is on. */
const PROBLEMS = {
	no_tunnel:             _('There is no interface %1 with option proto \'sstp\'.'),
	no_firewall:           _('The firewall has no zones: without a firewall there is no kill switch.'),
	no_lan:                _('No firewall zone has the network lan: name the zones whose networks are to be kept in.'),
	no_zone:               _('There is no firewall zone %1. The zones are: %2.'),
	no_uplink_zone:        _('No firewall zone leads to the internet: there is nothing that the kill switch could close.'),
	zone_is_uplink:        _('Zone %1 leads to the internet itself: choose zones of local networks.'),
	zone_taken:            _('The kill switch of %2 has zone %1 already: turn that one off first, or choose another zone.'),
	tunnel_in_uplink_zone: _('The tunnel %1 is in zone %2, which leads to the internet without it: take %1 out of zone %2 first.'),
	tunnel_in_chosen_zone: _('The tunnel %1 is in zone %2 itself: take %1 out of zone %2 first.'),
	bad_except:            _('The exception %1 is neither an address or subnet of IPv4 or IPv6 nor a MAC address.'),
	no_nft:                _('The program nft is missing: the firewall (fw4) cannot load any rule.'),
	no_fw:                 _('There is no firewall on this machine (neither fw4 nor fw3).'),
	missing:               _('The section %1 of the configuration is missing.'),
	changed:               _('Option %2 of the section %1 of the configuration was changed.'),
	extra:                 _('The section %1 of the configuration does not belong to the kill switch as it should be now.'),
	order:                 _('The rule %1 comes before those of the kill switch and may let something out.'),
	names_uplink:          _('The name servers of %1 are used again: option peerdns or dns was changed.'),
	not_loaded:            _('The firewall does not run: no rule of the kill switch is loaded.'),
	rule_not_loaded:       _('The firewall has not loaded the rule %1.'),
	leftover:              _('Sections of the kill switch are left, such as %1, but not its record.'),
	zone_shared:           _('Zone %1 also holds %2: what may use the tunnel may leave that way too.'),
	zone_no_masq:          _('Zone %1 does not masquerade (option masq): connections that are open go on by the uplink when the tunnel is down.'),
	zone_no_masq6:         _('Zone %1 does not masquerade IPv6 (option masq6): connections by IPv6 that are open go on by the uplink when the tunnel is down.'),
	forward_accept:        _('The firewall forwards what no rule refuses (option forward of its defaults is ACCEPT): until it has loaded a new uplink, traffic may leave there.')
};

/* --- sections --- */

const list = (v) => (v === undefined || v === null) ? [] : [].concat(v);
const value = (s, name) => list(s[name]).join(' ');
const words = (s, name) => value(s, name).split(/\s+/).filter((w) => w);
const same = (a, b) => a.length == b.length && a.every((v, i) => v === b[i]);
const find = (sections, name) => sections.find((s) => s['.name'] == name);
const optionsOf = (s) => Object.keys(s).filter((k) => k[0] != '.');

function isOn(s, name, byDefault) {
	const v = value(s, name);

	return (v === '') ? byDefault : [ '1', 'yes', 'on', 'true', 'enabled' ].includes(v);
}

const isOff = (s, name) => !isOn(s, name, true);

/* A UCI name: what is none of its characters becomes an underscore, as often as the program sees a character. */
const identifier = (name) => Array.from(name, (c) => /[A-Za-z0-9_]/.test(c) ? c : '_').join('');
const prefix = (tunnel) => `sstp_${identifier(tunnel)}_`;

function owns(tunnel, name) {
	if (!name.startsWith(prefix(tunnel)))
		return false;

	const [ kind, number, ...more ] = name.slice(prefix(tunnel).length).split('_');

	return (number === undefined) ? SINGLE.includes(kind) : NUMBERED.includes(kind) && /^[0-9]+$/.test(number) && !more.length;
}

const copy = (state) => ({ firewall: state.firewall.map((s) => ({ ...s })), network: state.network.map((s) => ({ ...s })) });

/* --- zones --- */

function zonesOf(state) {
	return state.firewall.filter((f) => f['.type'] == 'zone' && value(f, 'name') !== '' && !isOff(f, 'enabled')).map((section) => {
		const name = value(section, 'name'), networks = words(section, 'network');

		for (const n of state.network)
			if (n['.type'] == 'interface' && value(n, 'zone') == name && !networks.includes(n['.name']))
				networks.push(n['.name']);

		return { section, name, networks };
	});
}

const zoneOf = (zones, network) => zones.find((z) => z.networks.includes(network));
const zoneNamed = (zones, name) => zones.find((z) => z.name == name);

function isUplink(n) {
	const proto = value(n, 'proto');

	return UPLINK_PROTOS.includes(proto) || (proto == 'static' && (value(n, 'gateway') !== '' || value(n, 'ip6gw') !== ''));
}

function hasUplink(state, zone) {
	return zone.networks.some((name) => {
		const n = find(state.network, name);

		return name == 'wan' || name == 'wan6' || (n && n['.type'] == 'interface' && isUplink(n));
	});
}

function uplinkZones(state, zones, tunnelZone, chosen) {
	return zones.filter((z) => z.name != tunnelZone && !chosen.includes(z.name) && !/^sstp_.*_zone$/.test(z.section['.name']) &&
		(hasUplink(state, z) || isOn(z.section, 'masq', false) || isOn(z.section, 'masq6', false)));
}

function forwards(state, from, to) {
	return state.firewall.some((f) => f['.type'] == 'forwarding' && value(f, 'src') == from && value(f, 'dest') == to && isOn(f, 'enabled', true) &&
		[ '', 'any', 'all', '*' ].includes(value(f, 'family')));
}

function newZoneName(zones, tunnel) {
	const full = identifier(tunnel).replace(/^(?=[0-9])/, '_');
	let name = full.slice(0, MAX_ZONE_NAME);

	for (const digit of '23456789') {
		if (!zoneNamed(zones, name))
			break;

		name = full.slice(0, MAX_ZONE_NAME - 1) + digit;
	}

	return name;
}

/* --- what a request comes to --- */

class Refusal extends Error {
	constructor(key, ...args) {
		super(key);
		this.problem = { key, args, text: text({ key, args }) };
	}
}

/* The sentence of a problem in the page's language. One that a newer program knows says itself what it is. */
function text(problem) {
	if (!Object.hasOwn(PROBLEMS, problem.key))
		return problem.text ?? problem.key;

	return PROBLEMS[problem.key].replace(/%([1-9])/g, (all, n) => problem.args?.[n - 1] ?? all);
}

function unique(texts) {
	return [ ...new Set(list(texts).map((t) => t.trim()).filter((t) => t)) ];
}

/* What an exception is: ip4, ip6, mac, or null for none of them. A subnet that is everything is no exception. */
function exception(v) {
	const m = v.match(/^([^/]*)(?:\/(0|[1-9][0-9]{0,2}))?$/);

	if (m && validate.isIPv4(m[1]))
		return (m[2] === undefined || (m[2] >= 1 && m[2] <= 32)) ? 'ip4' : null;

	if (m && validate.isIPv6(m[1]))
		return (!validate.isMapped(m[1]) && (m[2] === undefined || (m[2] >= 1 && m[2] <= 128))) ? 'ip6' : null;

	return /^([0-9a-f]{2}:){5}[0-9a-f]{2}$/i.test(v) ? 'mac' : null;
}

function plan(state, request) {
	const tunnel = find(state.network, request.tunnel);

	if (!tunnel || tunnel['.type'] != 'interface' || value(tunnel, 'proto') != 'sstp')
		throw new Refusal('no_tunnel', request.tunnel);

	const zones = zonesOf(state), p = { ...request, ip4: [], ip6: [], mac: [], uplinks: [], interfaces: [], counts: {} };

	if (!zones.length)
		throw new Refusal('no_firewall');

	p.except = unique(request.except);
	p.except.forEach((v, i) => {
		const kind = exception(v);

		if (!kind)
			throw new Refusal('bad_except', v);

		p[kind].push(p.except[i] = (kind == 'mac') ? v.toLowerCase() : v);
	});

	choose(p, state, zones);

	const own = zoneOf(zones, p.tunnel);

	p.ownZone = !own;
	p.tunnelZone = own ? own.name : newZoneName(zones, p.tunnel);

	if (own && hasUplink(state, own))
		throw new Refusal('tunnel_in_uplink_zone', p.tunnel, own.name);

	if (own && p.zones.includes(own.name))
		throw new Refusal('tunnel_in_chosen_zone', p.tunnel, own.name);

	for (const z of uplinkZones(state, zones, p.tunnelZone, p.zones)) {
		p.uplinks.push(z.name);
		p.interfaces.push(...z.networks.filter((name) => {
			const n = find(state.network, name);

			return n?.['.type'] == 'interface';
		}));
	}

	if (!p.uplinks.length)
		throw new Refusal('no_uplink_zone');

	p.devices = uplinkDevices(state, zones, p.uplinks);
	p.networks = unique(p.zones.flatMap((name) => zoneNamed(zones, name).networks.filter((n) => find(state.network, n)?.['.type'] == 'interface')));
	p.ipv6 = value(tunnel, 'ipv6') != '0';

	return p;
}

/* What the names of the devices of some protocols begin with; the name of the interface follows. */
const DEVICE_PREFIXES = { ppp: 'ppp-', pppoe: 'pppoe-', pppoa: 'pppoa-', pptp: 'pptp-', l2tp: 'l2tp-', '3g': '3g-',
	'6in4': '6in4-', '6rd': '6rd-', '6to4': '6to4-', dslite: 'ds-', map: 'map-', '464xlate': '464-' };

/* The name of a device, '' for what is none, or several, or a pattern. */
function plainDevice(name) {
	return (name.length <= 15 && !/[ \t/+*!@]/.test(name)) ? name : '';
}

/* The network device by which an interface sends packets, '' where the configuration does not tell. */
function deviceOf(state, n) {
	for (let depth = 0; depth < 4 && n?.['.type'] == 'interface'; depth++) {
		const proto = value(n, 'proto'), of = value(n, 'device') || value(n, 'ifname');

		if (Object.hasOwn(DEVICE_PREFIXES, proto))
			return plainDevice(DEVICE_PREFIXES[proto] + n['.name']);
		if (value(n, 'type') == 'bridge')
			return plainDevice(`br-${n['.name']}`);
		if (!of.startsWith('@'))
			return [ 'static', 'dhcp', 'dhcpv6', 'none' ].includes(proto) ? plainDevice(of) : '';

		n = find(state.network, of.substring(1));
	}

	return '';
}

/* The devices of the uplinks' zones, without those that another zone uses too. */
function uplinkDevices(state, zones, uplinks) {
	const devices = [], local = [];

	for (const z of zones)
		(uplinks.includes(z.name) ? devices : local).push(
			...z.networks.map((name) => deviceOf(state, find(state.network, name))), ...words(z.section, 'device').map(plainDevice));

	return unique(devices).filter((d) => !local.includes(d));
}

/* Fills in and checks the chosen zones. */
function choose(p, state, zones) {
	p.zones = unique(p.zones);

	if (!p.zones.length) {
		const lan = zoneOf(zones, 'lan') ?? zoneNamed(zones, 'lan');

		if (!lan)
			throw new Refusal('no_lan');

		p.zones = [ lan.name ];
	}

	for (const name of p.zones) {
		const z = zoneNamed(zones, name);

		if (!z)
			throw new Refusal('no_zone', name, zones.map((zone) => zone.name).join(', '));

		if (hasUplink(state, z))
			throw z.networks.includes(p.tunnel) ? new Refusal('tunnel_in_uplink_zone', p.tunnel, name) : new Refusal('zone_is_uplink', name);

		const other = state.firewall.find((f) => f['.type'] == 'killswitch' && list(f.zone).includes(name));

		if (other)
			throw new Refusal('zone_taken', name, value(other, 'tunnel'));
	}
}

/* --- the switch --- */

function section(p, type, kind, options) {
	p.counts[kind] = (p.counts[kind] ?? 0) + 1;
	return { '.type': type, '.name': `${prefix(p.tunnel)}${kind}_${p.counts[kind]}`, ...options };
}

/* All rules, in the order in which the firewall has to look at them. */
function rules(p) {
	const made = [], add = (kind, title, options) => made.push(section(p, 'rule', kind, { name: `Kill-switch-${p.tunnel}-${title}`, ...options }));

	if (p.ownZone) {
		add('input', 'RA', { src: p.tunnelZone, family: 'ipv6', proto: 'icmp', icmp_type: [ 'router-advertisement' ], target: 'ACCEPT' });
		add('input', 'DHCPv6', { src: p.tunnelZone, family: 'ipv6', proto: 'udp', dest_port: '546', target: 'ACCEPT' });
	}

	for (const src of p.zones)
		for (const dest of p.uplinks) {
			for (const [ devices, family, option ] of [ [ p.ip4, 'ipv4', 'src_ip' ], [ p.ip6, 'ipv6', 'src_ip' ], [ p.mac, 'any', 'src_mac' ] ])
				if (devices.length)
					add('except', 'except', { src, dest, family, proto: 'all', [option]: [ ...devices ], target: 'ACCEPT' });

			add('reject', 'reject', { src, dest, family: 'any', proto: 'all', target: 'REJECT' });
		}

	if (p.mac.length && p.networks.length)
		for (const src of p.zones)
			add('mark', 'mark', { src, dest: '*', family: 'any', proto: 'all', src_mac: [ ...p.mac ], set_xmark: EXCEPT_MARK, target: 'MARK' });

	/* A zone has no devices while the firewall does not know them, so that the devices come first. */
	for (const to of [ ...p.devices.map((device) => ({ dest: '*', device, direction: 'out' })), ...p.uplinks.map((dest) => ({ dest })) ]) {
		if (p.names || p.router)
			add('call', 'call', { ...to, family: 'any', proto: 'all', mark: MARK, target: 'ACCEPT' });

		if (p.names)
			add('names', 'names', { ...to, family: 'any', proto: [ 'tcp', 'udp' ], dest_port: [ '53', '853' ], target: 'REJECT' });

		if (p.router) {
			add('router', 'DHCP', { ...to, family: 'ipv4', proto: 'udp', src_port: '68', dest_port: '67', target: 'ACCEPT' });
			add('router', 'DHCPv6', { ...to, family: 'ipv6', proto: 'udp', dest_port: '547', target: 'ACCEPT' });
			add('router', 'ND', { ...to, family: 'ipv6', proto: 'icmp', icmp_type: [ 'router-solicitation', 'neighbour-solicitation',
				'neighbour-advertisement', '131/0', '132/0', '143/0' ], target: 'ACCEPT' });
			add('router', 'NTP', { ...to, family: 'any', proto: 'udp', dest_port: '123', target: 'ACCEPT' });
			add('router', 'router', { ...to, family: 'any', proto: 'all', target: 'REJECT' });
		}
	}

	return made;
}

/* The mark of devices that are excepted by MAC address, which policy rules do not know. */
const EXCEPT_MARK = '0x20000000/0x20000000';

/* The number of the table in which the tunnel's default routes stand: a hash of its name (FNV-1a) behind a prefix. */
function table(tunnel) {
	let hash = 2166136261;

	for (const c of tunnel)
		hash = Math.imul(hash ^ c.charCodeAt(0), 16777619);

	return String(0x54000000 | (hash & 0xffffff));
}

/* An exception with its length: netifd takes an address without one for every address. */
function subnet(addr) {
	return addr.includes('/') ? addr : `${addr}/${addr.includes(':') ? 128 : 32}`;
}

/* The policy rules for the chosen networks, which hold while no firewall is loaded, and the tunnel's own default routes. */
function wayRules(p) {
	const made = [], own = table(p.tunnel), add = (type, options) => made.push(section(p, type, 'way', options));

	for (const network of p.networks)
		for (const [ type, except ] of [ [ 'rule', p.ip4 ], [ 'rule6', p.ip6 ] ]) {
			for (const src of except)
				add(type, { in: network, src: subnet(src), lookup: 'main', priority: '8301' });

			if (p.mac.length)
				add(type, { in: network, mark: EXCEPT_MARK, lookup: 'main', priority: '8301' });

			add(type, { in: network, lookup: 'main', suppress_prefixlength: '0', priority: '8302' });
			add(type, { in: network, lookup: own, priority: '8303' });
			add(type, { in: network, action: 'prohibit', priority: '8304' });
		}

	if (p.networks.length)
		add('route', { interface: p.tunnel, target: '0.0.0.0/0', table: own });

	if (p.networks.length && p.ipv6)
		add('route6', { interface: p.tunnel, target: '::/0', table: own });

	return made;
}

/* Whether an interface may be given name servers. */
const given = (n) => ![ 'static', 'none' ].includes(value(n, 'proto'));

/* Takes the uplinks' name servers away: those that they were given, and those that the user configured there. Returns what
   to restore; where a text is a list stands in it, too. */
function silenceUplinks(p, state) {
	const restore = [];

	for (const name of p.names ? p.interfaces : []) {
		const n = find(state.network, name);

		if (given(n) && !isOff(n, 'peerdns')) {
			restore.push((n.peerdns === undefined) ? name : `${name}=${value(n, 'peerdns')}`);
			n.peerdns = '0';
		}

		if (n.dns !== undefined) {
			restore.push(...list(n.dns).map((server) => `${name}.dns${Array.isArray(n.dns) ? '+' : ''}=${server}`));
			delete n.dns;
		}
	}

	return restore;
}

function apply(p, without) {
	const state = copy(without), made = rules(p), first = state.firewall.findIndex((f) => f['.type'] == 'rule'),
	      missing = p.zones.filter((zone) => !forwards(without, zone, p.tunnelZone));

	state.firewall.splice((first < 0) ? state.firewall.length : first, 0, ...made);

	if (p.ownZone)
		state.firewall.push({ '.type': 'zone', '.name': `${prefix(p.tunnel)}zone`, name: p.tunnelZone, network: [ p.tunnel ],
			input: 'DROP', output: 'ACCEPT', forward: 'REJECT', masq: '1', masq6: '1', mtu_fix: '1' });

	state.firewall.push(...missing.map((src) => section(p, 'forwarding', 'forward', { src, dest: p.tunnelZone })));

	const restore = silenceUplinks(p, state);

	state.network.push(...wayRules(p));
	state.firewall.push({ '.type': 'killswitch', '.name': `${prefix(p.tunnel)}killswitch`, tunnel: p.tunnel, zone: p.zones,
		...(p.except.length ? { except: p.except } : {}), names: p.names ? '1' : '0', router: p.router ? '1' : '0',
		...(restore.length ? { restore } : {}) });

	return state;
}

/* Takes the sections of the tunnel's switch out of a copy. */
function remove(from, tunnel) {
	const state = copy(from), record = find(state.firewall, `${prefix(tunnel)}killswitch`);

	for (const config of [ 'firewall', 'network' ])
		state[config] = state[config].filter((f) => !owns(tunnel, f['.name']));

	return { state, restore: record ? list(record.restore) : [] };
}

/* Gives the interfaces the options that they had, where they still are as the switch left them. */
function restored(state, restore) {
	const kept = state.network.filter((n) => n.dns !== undefined).map((n) => n['.name']);

	for (const entry of restore) {
		const [ , name, dns, had ] = entry.match(/^([^=]*?)(\.dns\+?)?(?:=([^]*))?$/), n = find(state.network, name);

		if (!n)
			continue;

		if (dns) {
			if (!kept.includes(name))
				n.dns = (dns == '.dns+') ? [ ...list(n.dns), had ] : had;
		}
		else if (value(n, 'peerdns') != '0')
			continue;
		else if (had === undefined)
			delete n.peerdns;
		else
			n.peerdns = had;
	}

	return state;
}

function base(state, tunnel) {
	const removed = remove(state, tunnel);

	return restored(removed.state, removed.restore);
}

/* --- what is there --- */

/* The name of an option in which two sections differ; a list may be written as one text. */
function difference(a, b) {
	return [ ...optionsOf(a), ...optionsOf(b) ].find((name) => !same(words(a, name), words(b, name)));
}

function compare(there, wanted, tunnel, problem) {
	for (const w of wanted) {
		const is = find(there, w['.name']);

		if (!owns(tunnel, w['.name']) || w['.type'] == 'killswitch')
			continue;

		if (!is || is['.type'] != w['.type'])
			problem('missing', w['.name']);
		else if (difference(is, w))
			problem('changed', w['.name'], difference(is, w));
	}

	for (const f of there)
		if (owns(tunnel, f['.name']) && !find(wanted, f['.name']))
			problem('extra', f['.name']);
}

/* A rule of the user's that is asked before those of the switch. */
function compareOrder(state, tunnel, problem) {
	let foreign = '';

	for (const f of state.firewall) {
		if (f['.type'] != 'rule' || isOff(f, 'enabled'))
			continue;

		if (owns(tunnel, f['.name']) && foreign !== '')
			return problem('order', foreign);

		if (!f['.name'].startsWith('sstp_'))
			foreign = value(f, 'name') || f['.name'];
	}
}

/* What else in the configuration opens a way. */
function lookAround(state, p, problem) {
	const zone = zoneOf(zonesOf(state), p.tunnel);

	if (zone && !p.ownZone) {
		const others = [ ...zone.networks.filter((n) => n != p.tunnel && n != `${p.tunnel}_6`), ...words(zone.section, 'device') ];

		if (others.length)
			problem('zone_shared', zone.name, others.join(', '));
		if (!isOn(zone.section, 'masq', false))
			problem('zone_no_masq', zone.name);
		if (value(find(state.network, p.tunnel), 'ipv6') != '0' && !isOn(zone.section, 'masq6', false))
			problem('zone_no_masq6', zone.name);
	}

	if (state.firewall.some((f) => f['.type'] == 'defaults' && value(f, 'forward') == 'ACCEPT'))
		problem('forward_accept');
}

/* --- the steps that lead from one state to another --- */

function changesOf(config, from, to) {
	const steps = [], order = [];

	for (const f of from) {
		const t = find(to, f['.name']);

		if (!t || t['.type'] != f['.type']) {
			steps.push({ op: 'delete', config, name: f['.name'] });
			continue;
		}

		order.push(f['.name']);

		for (const name of optionsOf(f))
			if (t[name] === undefined)
				steps.push({ op: 'unset', config, name: f['.name'], option: name });

		for (const name of optionsOf(t))
			if (!same(list(t[name]), list(f[name])))
				steps.push({ op: 'set', config, name: f['.name'], option: name, value: t[name] });
	}

	for (const t of to)
		if (!order.includes(t['.name'])) {
			steps.push({ op: 'add', config, name: t['.name'], section: t });
			order.push(t['.name']);
		}

	const wanted = to.map((t) => t['.name']);

	if (!same(order, wanted))
		steps.push({ op: 'order', config, names: wanted });

	return steps;
}

return baseclass.extend({
	PROBLEMS,
	text,

	/* Whether a text names a device that may be excepted. */
	isException: (v) => exception(v) !== null,

	/* { state } with the switch as requested, or { problem } where it cannot be. What it was before does not matter. */
	on(state, request) {
		try {
			const without = base(state, request.tunnel);

			return { state: apply(plan(without, request), without) };
		}
		catch (e) {
			if (e instanceof Refusal)
				return { problem: e.problem };

			throw e;
		}
	},

	/* The state without the switch, as it was before; works for a tunnel that does not exist any more. */
	off(state, tunnel) {
		const removed = remove(state, tunnel), other = removed.state.firewall.find((f) => f['.type'] == 'killswitch' && isOn(f, 'names', false));

		if (!other)
			return restored(removed.state, removed.restore);

		/* the switch of another tunnel still wants what was changed, and restores it when it goes */
		if (removed.restore.length)
			other.restore = [ ...list(other.restore), ...removed.restore ];

		return removed.state;
	},

	/* { on, complete, zones, except, names, router, problems } of what is there. */
	inspect(state, tunnel) {
		const record = find(state.firewall, `${prefix(tunnel)}killswitch`), problems = [],
		      problem = (key, ...args) => { problems.push({ key, args, text: text({ key, args }) }); },
		      status = (on, more) => ({ on, complete: on && !problems.length, zones: [], except: [], router: false, names: false, ...more, problems });

		if (!record || record['.type'] != 'killswitch') {
			const left = [ ...state.firewall, ...state.network ].find((f) => owns(tunnel, f['.name']));

			if (left)
				problem('leftover', left['.name']);

			return status(false);
		}

		const request = { tunnel, zones: list(record.zone), except: list(record.except), router: isOn(record, 'router', false), names: isOn(record, 'names', false) },
		      without = base(state, tunnel);

		try {
			const p = plan(without, request), want = apply(p, without);

			compare(state.firewall, want.firewall, tunnel, problem);
			compare(state.network, want.network, tunnel, problem);
			compareOrder(state, tunnel, problem);

			for (const name of p.names ? p.interfaces : []) {
				const n = find(state.network, name);

				if ((given(n) && !isOff(n, 'peerdns')) || n.dns !== undefined)
					problem('names_uplink', name);
			}

			lookAround(state, p, problem);
		}
		catch (e) {
			if (!(e instanceof Refusal))
				throw e;

			problems.push(e.problem);
		}

		const { zones, except, router, names } = request;

		return status(true, { zones, except, router, names });
	},

	/* Steps { op, config, name, ... }: delete, unset, set, add, order. */
	changes(from, to) {
		return [ ...changesOf('firewall', from.firewall, to.firewall), ...changesOf('network', from.network, to.network) ];
	},

	/* The zones that may be chosen: those of local networks. */
	localZones(state, tunnel) {
		const without = base(state, tunnel), zones = zonesOf(without), own = zoneOf(zones, tunnel)?.name;

		return zones.filter((z) => z.name != own && !/^sstp_.*_zone$/.test(z.section['.name']) && !hasUplink(without, z)).map((z) => z.name);
	}
});
