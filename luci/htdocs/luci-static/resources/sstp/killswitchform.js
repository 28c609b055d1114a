'use strict';
'require baseclass';
'require dom';
'require form';
'require network';
'require uci';
'require sstp.dialog as dialog';
'require sstp.format as format';
'require sstp.killswitch as killswitch';

/*
 * The kill switch in the form of an interface. Its fields are no options of the interface: what they come to is computed when
 * the form is saved, and written through LuCI's uci, so that it waits for Save & Apply with everything else and can be reverted.
 */

/* Below which field a problem is shown; what is not listed stands below the switch. */
const FIELDS = {
	bad_except: '_sstp_ks_except',
	no_lan: '_sstp_ks_zones', no_zone: '_sstp_ks_zones', zone_is_uplink: '_sstp_ks_zones', zone_taken: '_sstp_ks_zones', tunnel_in_chosen_zone: '_sstp_ks_zones'
};

/* The sections of a configuration as they would be saved now. What is marked for deletion, sections() still has. */
function sections(config) {
	return uci.sections(config).map((s) => {
		const section = { '.type': s['.type'], '.name': s['.name'] };

		for (const option in s) {
			const v = (option[0] == '.') ? null : uci.get(config, s['.name'], option);

			if (v !== null && v !== undefined)
				section[option] = v;
		}

		return section;
	});
}

const current = () => ({ firewall: sections('firewall'), network: sections('network') });

/* Without the right to read the firewall, or without a firewall, there are no zones. */
const loadConfigs = () => Promise.all([ uci.load('network'), uci.load('firewall').catch(() => null) ]);

/* Writes steps through uci, all but the order of the sections. */
function write(steps) {
	for (const s of steps)
		switch (s.op) {
		case 'delete': uci.remove(s.config, s.name); break;
		case 'unset':  uci.unset(s.config, s.name, s.option); break;
		case 'set':    uci.set(s.config, s.name, s.option, s.value); break;
		case 'add':
			uci.add(s.config, s.section['.type'], s.name);

			for (const option in s.section)
				if (option[0] != '.')
					uci.set(s.config, s.name, option, s.section[option]);
			break;
		}
}

/*
 * Brings the configuration to what target makes of it. LuCI leaves a new order out of a save that also deletes something, and
 * the order decides which rule counts: the rest is saved before.
 */
function bring(target) {
	const steps = killswitch.changes(current(), target(current()));

	write(steps);

	if (!steps.some((s) => s.op == 'order'))
		return Promise.resolve();

	return uci.save().then(() => {
		for (const { op, config, names } of killswitch.changes(current(), target(current())))
			if (op == 'order')
				names.forEach((name, i) => (i > 0) ? uci.move(config, name, names[i - 1], true) : uci.move(config, name, names[1], false));
	});
}

return baseclass.extend({
	/* Takes the switch of an interface away that is about to be removed. */
	remove(sid) {
		return loadConfigs().then(() => bring((state) => killswitch.off(state, sid)));
	},

	/* Adds the tab. mark(option, text) shows a text below a field, none where it is empty. */
	add(s, sid, mark) {
		const fields = {}, field = (type, name, title, description) => fields[name] = s.taboption('sstp_killswitch', type, name, title, description);
		let loaded = null, status = { on: false, zones: [], except: [], names: true, router: false, problems: [] };

		s.tab('sstp_killswitch', _('Kill switch'));

		const prepare = () => loaded ??= Promise.all([ loadConfigs(), network.getHostHints().catch(() => null) ]).then(([ , hints ]) => {
			const state = current(), zones = killswitch.localZones(state, sid), found = killswitch.inspect(state, sid);

			if (found.on || found.problems.length)
				status = found;

			if (!found.on)
				status = { ...status, zones: zones.includes('lan') ? [ 'lan' ] : zones.slice(0, 1), names: true };

			for (const zone of new Set([ ...zones, ...status.zones ]))
				fields._sstp_ks_zones.value(zone);

			for (const [ mac, name ] of hints?.getMACHints(false) ?? [])
				fields._sstp_ks_except.value(mac.toLowerCase(), name ? `${name} (${mac.toLowerCase()})` : mac.toLowerCase());
		});

		/* A field that is no option: its value comes from the switch as it is, and goes into it when the form is saved. */
		const virtual = (o, value) => {
			o.load = () => prepare().then(value);
			o.write = o.remove = () => {};
			return o;
		};

		const chosen = (name) => [].concat(fields[name].formvalue(sid) ?? []).filter((v) => v !== '');
		const request = () => ({
			tunnel: sid, zones: chosen('_sstp_ks_zones'), except: chosen('_sstp_ks_except'),
			names: fields._sstp_ks_names.formvalue(sid) == '1', router: fields._sstp_ks_router.formvalue(sid) == '1'
		});
		const wanted = () => fields._sstp_ks.isActive(sid) && fields._sstp_ks.formvalue(sid) == '1';

		/* The configuration with what the form itself says about the interface: its protocol, and its zone. */
		const planned = () => {
			const state = current(), tunnel = state.network.find((n) => n['.name'] == sid), zone = s.children.find((o) => o.option == '_zone'),
			      name = zone?.getUIElement?.(sid) ? (zone.formvalue(sid) || '') : null, zones = state.firewall.filter((f) => f['.type'] == 'zone'),
			      networks = (z) => [].concat(z.network ?? []).flatMap((n) => n.split(/\s+/));

			if (tunnel)
				tunnel.proto = 'sstp';

			if (name === null || zones.find((z) => networks(z).includes(sid))?.name === (name || undefined))
				return state;

			for (const z of zones)
				if (z.network && (networks(z).includes(sid) || z.name == name))
					z.network = [ ...networks(z).filter((n) => n != sid), ...(z.name == name ? [ sid ] : []) ];

			if (name && !zones.some((z) => z.name == name))
				state.firewall.push({ '.type': 'zone', '.name': 'planned', name, network: [ sid ] });

			return state;
		};

		const problem = () => {
			const found = wanted() ? killswitch.on(planned(), request()).problem : null;

			return found ? { field: FIELDS[found.key] ?? '_sstp_ks', text: killswitch.text(found), zone: /^tunnel_in_/.test(found.key) ? found.args[1] : null } : { field: null, text: '' };
		};

		/* LuCI's field for the zone of the interface, on another tab. */
		const zoneWidget = () => s.children.find((o) => o.option == '_zone')?.getUIElement?.(sid);
		const leave = E('div', { 'class': 'sstp sstp-leave', 'hidden': '' });

		/* Shows what is wrong, below its field and nowhere else. */
		const show = () => {
			const found = problem();

			leave.hidden = !(found.zone && zoneWidget());

			if (!leave.hidden)
				dom.content(leave, [ dialog.button(format.fill(_('Take the tunnel out of zone %s'), found.zone), 'action important', () => {
					zoneWidget().setValue('');
					show();
				}) ]);

			for (const name of [ '_sstp_ks', '_sstp_ks_zones', '_sstp_ks_except' ])
				mark(fields[name], (found.field == name) ? found.text : '');

			return found;
		};

		const checked = (o) => {
			o.getValidationError = () => {
				const found = problem();

				return (found.field == o.option) ? found.text : '';
			};
			o.isValid = () => show().field != o.option;
			return o;
		};

		let o;

		o = checked(virtual(field(form.Flag, '_sstp_ks', _('Kill switch'), _('These networks reach the internet only through this tunnel: also while it is down, while the router starts, and when its program does not run. Everything else of theirs is refused.')), () => status.on ? '1' : '0'));
		o.default = o.disabled;

		o = field(form.DummyValue, '_sstp_ks_state', '\u00a0');
		o.depends('_sstp_ks', '1');
		o.load = () => prepare().then(() => '');
		o.renderWidget = () => E('div', { 'class': 'sstp' }, !status.on ? [ leave ] : status.complete ? [ leave,
			E('div', { 'class': 'sstp-verdict sstp-tone-ok' }, [ dialog.mark('ok'), E('span', {}, [ _('The kill switch is on and complete.') ]) ])
		] : [ leave,
			E('div', { 'class': 'sstp-verdict sstp-tone-failed' }, [ dialog.mark('warn'), E('div', {}, [
				E('span', {}, [ _('The kill switch is on, but not as it should be. Saving this form mends what belongs to it.') ]),
				E('ul', { 'class': 'sstp-notes' }, status.problems.map((p) => E('li', {}, [ killswitch.text(p) ])))
			]) ])
		]);

		o = checked(virtual(field(form.MultiValue, '_sstp_ks_zones', _('Networks'), _('The firewall zones of these networks. Their devices leave through the tunnel or not at all.')), () => status.zones));
		o.depends('_sstp_ks', '1');
		o.onchange = show;

		o = checked(virtual(field(form.DynamicList, '_sstp_ks_except', _('Exceptions'), _('Devices in these networks that may use the internet without the tunnel: by MAC address, address or subnet.')), () => status.except));
		o.depends('_sstp_ks', '1');
		o.placeholder = '192.168.1.7';
		o.validate = (section_id, v) => v === '' || killswitch.isException(v.trim()) || killswitch.text({ key: 'bad_except', args: [ v ] });
		o.onchange = show;

		o = virtual(field(form.Flag, '_sstp_ks_names', _('Names'), _('Names are looked up through the tunnel only. The name servers of the uplinks are not asked, except for the tunnel\'s own server.')), () => status.names ? '1' : '0');
		o.default = o.enabled;
		o.depends('_sstp_ks', '1');

		o = virtual(field(form.Flag, '_sstp_ks_router', _('The router itself'), _('The router, too, sends nothing by the uplinks but the tunnel\'s own call and what it needs for that, such as DHCP and the time. Its updates need the tunnel, then.')), () => status.router ? '1' : '0');
		o.default = o.disabled;
		o.depends('_sstp_ks', '1');

		fields._sstp_ks.onchange = show;

		/* after all fields of the form, of which one puts the interface into a zone */
		const parse = s.parse;

		s.parse = function(...args) {
			return Promise.resolve(parse.apply(this, args)).then((done) => {
				if (!wanted())
					return bring((state) => killswitch.off(state, sid)).then(() => done);

				const found = killswitch.on(current(), request()).problem;

				if (found)
					throw new TypeError(format.fill('%s: %s', _('Kill switch'), killswitch.text(found)));

				return bring((state) => killswitch.on(state, request()).state ?? state).then(() => done);
			});
		};
	}
});
