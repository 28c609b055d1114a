'use strict';
'require baseclass';
'require sstp.format as format';
'require sstp.killswitch as killswitch';

/*
 * Where traffic really goes, as the daemon looked it up in the kernel, in the page's language. A finding is { key, args, text,
 * ok }; one whose key is not listed here was added to a newer daemon, and its own words are shown.
 */

const FINDINGS = {
	reach_tunnel:       _('through this tunnel'),
	reach_other:        _('by %s, although the tunnel is up: %s'),
	reach_other_wanted: _('by %s, because the setting "Use default gateway" is off'),
	reach_table:        _('by routing table %s only, as its setting says'),
	reach_none:         _('there is no route'),
	reach_refused:      _('refused while the connection is lost, because the hold time is for ever'),
	reach6_none:        _('no IPv6 in the tunnel, and none outside'),
	reach6_other:       _('by %s: the tunnel carries IPv4 only'),
	names_tunnel:       _('by the tunnel\'s name servers'),
	names_uplink:       _('by the name servers of %s'),
	names_both:         _('by the name servers of the tunnel and of %s'),
	names_own:          _('by the name servers configured by hand: %s'),
	names_none:         _('there are no name servers'),
	zone_ok:            _('in zone %s'),
	zone_none:          _('%s is in no zone: the LAN cannot use it'),
	zone_no_forward:    _('no zone forwards to %s')
};

/* Why a route is not the tunnel's, as the daemon says it. */
const CAUSES = [
	[ /^(.+), and comes back each time it is replaced$/, _('%s, and comes back each time it is replaced') ],
	[ /^for packets from (\S+), (.+)$/, _('for packets from %s, %s') ],
	[ /^a default route with metric (\d+) by (\S+) took the place of the tunnel's$/, _('a default route with metric %s by %s took the place of the tunnel\'s') ],
	[ /^a default route with metric (\d+) by (\S+) goes before the tunnel's with metric (\d+)$/, _('a default route with metric %s by %s goes before the tunnel\'s with metric %s') ],
	[ /^a default route with metric (\d+) by (\S+), in routing table (\d+)$/, _('a default route with metric %s by %s, in routing table %s') ],
	[ /^a route to (\S+) with metric (\d+) by (\S+) goes before the tunnel's with metric (\d+)$/, _('a route to %s with metric %s by %s goes before the tunnel\'s with metric %s') ],
	[ /^a route to (\S+) with metric (\d+) by (\S+), in routing table (\d+)$/, _('a route to %s with metric %s by %s, in routing table %s') ],
	[ /^the server gave no IPv6 route$/, _('the server gave no IPv6 route') ],
	[ /^packets with an address of its network go there$/, _('packets with an address of its network go there') ]
];

function cause(text) {
	for (const [ pattern, sentence ] of CAUSES) {
		const m = String(text).match(pattern);

		if (m)
			return format.fill(sentence, ...m.slice(1).map(cause));
	}

	return text;
}

function phrase({ key, args, text }) {
	return Object.hasOwn(FINDINGS, key) ? format.fill(FINDINGS[key], ...(args ?? []).map(cause)) : String(text || key);
}

/* What a kill switch does, in a few words; what is wrong with it are rows of their own. */
function switchText(k) {
	return [
		format.fill(_('on for %s'), (k.zones ?? []).join(', ')),
		k.except?.length ? format.fill(N_(k.except.length, 'one exception', '%s exceptions'), format.count(k.except.length)) : '',
		k.router ? _('for the router itself, too') : ''
	].filter((t) => t).join(', ');
}

return baseclass.extend({
	FINDINGS,
	phrase,

	/* The state to show for a tunnel that is up: its own, or that traffic goes elsewhere. */
	state(status) {
		const r = status?.reach;

		if (status?.state != 'up')
			return status?.state;
		if (r?.internet?.key && !r.internet.ok)
			return 'elsewhere';
		if (r?.ipv6?.key && !r.ipv6.ok)
			return 'elsewhere6';

		return 'up';
	},

	/*
	 * Rows { name, look: ok|warn|open, text, more }, of what was looked up and nothing else. tunnel is what is configured: of a
	 * kill switch it tells also where no daemon runs.
	 */
	rows(status, tunnel) {
		const rows = [], found = (name, f) => f?.key ? rows.push({ name, look: f.ok ? 'ok' : 'warn', text: phrase(f), more: [] }) : null, r = status?.reach,
		      k = status?.killswitch ?? tunnel?.killswitch;

		found(_('Internet'), r?.internet);
		found(_('IPv6'), r?.ipv6);
		found(_('Names'), r?.names);
		found(_('Firewall'), r?.firewall);

		if (k?.on || k?.problems?.length)
			rows.push({
				name: _('Kill switch'), look: (k.on && k.complete) ? 'ok' : 'warn',
				text: k.on ? switchText(k) : _('off'), more: (k.problems ?? []).map(killswitch.text)
			});

		return rows;
	}
});
