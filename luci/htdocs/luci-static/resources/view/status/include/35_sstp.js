'use strict';
'require baseclass';
'require sstp.api as api';
'require sstp.dialog as dialog';
'require sstp.errors as errors';
'require sstp.format as format';
'require sstp.reach as reach';
'require sstp.report as report';
'require sstp.series as series';
'require sstp.store as store';

/* The tunnels on Status > Overview; nothing where there are none. What is seen here is history for the graphs as well. */

function row({ tunnel, status, state, rates, now }) {
	const words = errors.state((state.key == 'up') ? reach.state(status) : state.key), c = status?.counters, live = (state.key == 'up' || state.key == 'holding') && c,
	      fault = (state.key != 'up') && (status?.last_error?.code ?? state.code),
	      doubts = reach.rows(live ? status : {}, tunnel).filter((r) => r.look == 'warn');

	return E('tr', { 'class': 'tr' }, [
		E('td', { 'class': 'td left', 'data-title': _('Tunnel') }, [ E('a', { 'href': L.url('admin/status/sstp') }, [ tunnel.interface ]) ]),
		E('td', { 'class': 'td left', 'data-title': _('State') }, [
			E('span', { 'class': `sstp-state sstp-tone-${words.look}` }, [ dialog.mark(words.look), E('span', {}, [ words.text ]) ]),
			fault ? E('div', { 'class': 'sstp-hint' }, [ errors.title(fault, status?.last_error?.message ?? state.text) ]) : '',
			...doubts.map((r) => E('div', { 'class': 'sstp-hint' }, [ format.fill(_('%s: %s'), r.name, [ r.text, ...r.more ].join(' \u2013 ')) ])),
			(status?.uptime_s > 0) ? E('div', { 'class': 'sstp-hint' }, [ format.fill(_('for %s'), format.duration(status.uptime_s)) ]) : ''
		]),
		E('td', { 'class': 'td left', 'data-title': _('Server') }, [ status?.server ?? (tunnel.server ?? []).join(', ') ]),
		E('td', { 'class': 'td left', 'data-title': _('Traffic') }, live ? [
			E('div', {}, [ format.fill(_('Download: %s'), [ (rates?.rx >= 0) ? format.rate(rates.rx) : '', format.bytes(c.rx_bytes) ].filter((t) => t).join(' \u00b7 ')) ]),
			E('div', {}, [ format.fill(_('Upload: %s'), [ (rates?.tx >= 0) ? format.rate(rates.tx) : '', format.bytes(c.tx_bytes) ].filter((t) => t).join(' \u00b7 ')) ])
		] : [ '-' ])
	]);
}

return baseclass.extend({
	title: _('SSTP tunnels'),
	disableCache: true,

	load() {
		return Promise.all([ api.tunnels(), api.interfaces() ]).then(([ tunnels, interfaces ]) => {
			const list = tunnels.value?.tunnels ?? [], known = interfaces.value?.interface ?? [];

			return Promise.all(list.map((tunnel) => api.status(tunnel.interface).then((answer) => {
				const status = answer.value, iface = known.find((i) => i.interface == tunnel.interface) ?? null, now = Date.now();
				let samples = store.load(tunnel.interface, now);

				if (status?.counters && (status.state == 'up' || status.state == 'holding')) {
					samples = series.add(samples, now, status.counters.rx_bytes, status.counters.tx_bytes, status.rtt_ms?.last);
					store.save(tunnel.interface, samples);
				}

				return { tunnel, status, now, state: report.state({ tunnel, status, failure: answer.failure, iface }), rates: series.rates(samples).pop() };
			})));
		});
	},

	render(tunnels) {
		if (!tunnels?.length)
			return null;

		dialog.loadStyle();

		return E('table', { 'class': 'table sstp sstp-overview' }, [
			E('tr', { 'class': 'tr table-titles' }, [ _('Tunnel'), _('State'), _('Server'), _('Traffic') ].map((t) => E('th', { 'class': 'th left', 'scope': 'col' }, [ t ]))),
			...tunnels.map(row)
		]);
	}
});
