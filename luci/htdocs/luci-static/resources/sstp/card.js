'use strict';
'require baseclass';
'require dom';
'require sstp.chart as chart';
'require sstp.dialog as dialog';
'require sstp.errors as errors';
'require sstp.format as format';
'require sstp.report as report';
'require sstp.series as series';

/*
 * One tunnel on the status page. It is built once and then only its changed texts are written, so that focus, selection
 * and open parts stay as they are.
 */

const STEPS = [ 'resolving', 'connecting', 'tls', 'sstp', 'auth', 'network' ];

function setText(node, text) {
	if (node.textContent !== text)
		node.textContent = text;
}

/* Rows of a definition list that appear and disappear with their value. */
function rows(title, names) {
	const cells = names.map((name) => {
		const dt = E('dt', { 'hidden': '' }, [ name ]), dd = E('dd', { 'hidden': '' });

		return { dt, dd };
	});
	const node = E('div', { 'class': 'sstp-group' }, [
		E('h4', {}, [ title ]),
		E('dl', { 'class': 'sstp-facts' }, cells.flatMap((c) => [ c.dt, c.dd ]))
	]);

	return {
		node,
		update(values) {
			cells.forEach((c, i) => {
				const text = values[i] ?? '';

				c.dt.hidden = c.dd.hidden = (text === '');

				if (c.dd.textContent !== text)
					dom.content(c.dd, dialog.breakable(text));
			});
			node.hidden = !values.some((v) => v);
		}
	};
}

function tile(name) {
	const value = E('dd', {});

	return { node: E('div', { 'class': 'sstp-tile' }, [ E('dt', {}, [ name ]), value ]), value };
}

/* The common name of an X.509 subject, the whole of it where there is none. */
function commonName(subject) {
	return subject?.match(/(?:^|,)\s*CN=((?:\\.|[^,\\])+)/)?.[1]?.replace(/\\(.)/g, '$1') ?? subject ?? '';
}

function certificateText(tls, now) {
	const days = tls.not_after ? format.daysLeft(tls.not_after, now) : null;

	if (days === null)
		return commonName(tls.subject);

	return format.fill((days < 0) ? _('%s, expired on %s') : N_(days, '%s, until %s (one day left)', '%s, until %s (%s days left)'),
		commonName(tls.subject), format.day(tls.not_after), days);
}

function tlsText(tls) {
	return [ tls.version, tls.cipher, (tls.path == 'kernel') ? _('encrypted by the kernel') : '' ].filter((t) => t).join(', ');
}

function rttText(rtt) {
	return rtt ? format.fill(_('%s (min %s, avg %s, max %s)'), ...[ rtt.last, rtt.min, rtt.avg, rtt.max ].map((v) => format.milliseconds(v))) : '';
}

/* The steps of a call that went well are no news. */
function isNews(event) {
	return event.code || event.state == 'starting' || errors.state(event.state).look != 'busy';
}

function eventRow(event, now) {
	const state = errors.state(event.state), failed = event.code ? errors.sentence(event.code, event.text) : null;

	return E('tr', { 'class': 'tr' }, [
		E('td', { 'class': 'td sstp-when' }, [ format.moment(event.time, now) ]),
		E('td', { 'class': 'td sstp-what' }, [
			dialog.mark(failed ? 'failed' : state.look), ' ', failed ?? state.text
		]),
		E('td', { 'class': 'td sstp-why' }, [ (event.text && event.text != failed) ? errors.phrase(event.text) : '' ])
	]);
}

return baseclass.extend({
	/*
	 * actions: { connect, disconnect, reconnect, test } each called with the tunnel's name and giving a promise, or null
	 * where the login may not; editUrl leads to the settings. Returns { node, update(model) }; model is what view/sstp/
	 * status.js gathers.
	 */
	create(name, actions, editUrl) {
		const headId = `sstp-head-${name}`,
		      markBox = E('span', { 'class': 'sstp-state-mark' }),
		      stateText = E('span', { 'class': 'sstp-state-text' }),
		      state = E('span', { 'class': 'sstp-state', 'role': 'status', 'aria-live': 'polite' }, [ markBox, stateText ]),
		      since = E('span', { 'class': 'sstp-since' }),
		      steps = E('ol', { 'class': 'sstp-steps', 'hidden': '', 'aria-hidden': 'true' }, STEPS.map((s) => E('li', { 'title': errors.state(s).text }))),
		      fault = E('div', { 'class': 'sstp-fault', 'role': 'alert', 'hidden': '' }),
		      retry = E('p', { 'class': 'sstp-retry', 'hidden': '' }),
		      notes = E('div', { 'class': 'sstp-warnings', 'hidden': '' }),
		      tiles = { rx: tile(_('Download')), tx: tile(_('Upload')), rtt: tile(_('Round trip')), total: tile(_('Received / sent')) },
		      tileBox = E('dl', { 'class': 'sstp-tiles' }, Object.values(tiles).map((t) => t.node)),
		      traffic = chart.create({ title: _('Traffic'), least: 10000, text: (v) => format.rate(v), series: [
			{ key: 'rx', label: _('Download'), look: 'rx', area: true }, { key: 'tx', label: _('Upload'), look: 'tx' } ] }),
		      roundTrip = chart.create({ title: _('Round trip'), least: 4, text: (v) => format.milliseconds(v), series: [ { key: 'rtt', label: '', look: 'rtt' } ] }),
		      charts = E('div', { 'class': 'sstp-charts' }, [ traffic.node, roundTrip.node ]),
		      groups = {
			connection: rows(_('Connection'), [ _('Server'), _('Address'), _('Uplink'), _('Proxy'), _('Log-in'), _('Attempt'), _('Reconnections') ]),
			security: rows(_('Security'), [ _('Encryption'), _('Server verified'), _('Certificate'), _('Issuer'), _('Fingerprint'), _('Crypto binding') ]),
			network: rows(_('Network'), [ _('Device'), _('IPv4 address'), _('Peer'), _('DNS servers'), _('IPv6 address'), _('MTU'), _('Round trip'), _('Packets'), _('Dropped') ])
		      },
		      eventBody = E('tbody', {}),
		      events = E('details', { 'class': 'sstp-events', 'hidden': '' }, [
			E('summary', {}, [ _('History') ]),
			E('table', { 'class': 'table sstp-table' }, [
				E('thead', { 'class': 'sstp-hidden' }, [ E('tr', {}, [ _('Time'), _('Event'), _('Details') ].map((t) => E('th', { 'scope': 'col' }, [ t ]))) ]),
				eventBody
			])
		      ]);

		const act = (label, style, run) => {
			const button = dialog.button(label, style, () => {
				button.disabled = true;
				button.classList.add('spinning');
				Promise.resolve(run(name)).finally(() => {
					button.classList.remove('spinning');
					button.disabled = false;
				});
			});

			return button;
		};
		const buttons = {
			connect: act(_('Connect'), 'positive', (n) => actions.connect(n)),
			reconnect: act(_('Reconnect'), 'action', (n) => actions.reconnect(n)),
			disconnect: act(_('Disconnect'), 'negative', (n) => actions.disconnect(n)),
			test: act(_('Test connection'), 'neutral', (n) => actions.test(n))
		};
		const show = (which, wanted) => {
			buttons[which].hidden = !(wanted && actions[which]);
		};
		let shownHistory = null, shownFault = null, shownLook = null, shownNotes = null;

		const node = E('section', { 'class': 'cbi-section sstp-card', 'aria-labelledby': headId, 'data-interface': name }, [
			E('div', { 'class': 'sstp-card-head' }, [
				E('div', { 'class': 'sstp-card-title' }, [ E('h3', { 'id': headId }, [ name ]), state, since ]),
				E('div', { 'class': 'sstp-actions' }, [ ...Object.values(buttons), E('a', { 'class': 'btn cbi-button cbi-button-edit', 'href': editUrl }, [ _('Edit') ]) ])
			]),
			steps, fault, retry, notes, tileBox, charts,
			E('div', { 'class': 'sstp-groups' }, Object.values(groups).map((g) => g.node)),
			events
		]);

		show('test', true);

		/* The last failure with its hint; rewritten only when it is another one, so that it is read out once. */
		const updateFault = (f) => {
			const key = JSON.stringify(f);

			if (key === shownFault)
				return;

			shownFault = key;
			fault.hidden = !f;
			dom.content(fault, f ? [
				E('p', { 'class': 'sstp-fault-head' }, [ dialog.mark('failed'), E('strong', {}, [ f.title ]) ]),
				(f.message && f.message != f.title) ? E('p', {}, [ f.message ]) : '',
				...f.hints.map((h) => E('p', {}, [ h ])),
				f.code ? E('p', { 'class': 'sstp-hint' }, [ [ f.code, f.stage ? errors.stage(f.stage) : '', f.when ].filter((t) => t).join(' \u00b7 ') ]) : ''
			] : []);
		};

		/* What goes on with time alone: durations and the wait for the next attempt. */
		const tick = (model) => {
			const s = model.status, now = Date.now() / 1000;
			let seconds = null;

			if (s?.state == 'up' && s.uptime_s >= 0)
				seconds = s.uptime_s + (Date.now() - model.at) / 1000;
			else if (s?.since > 0 && now >= s.since)
				seconds = now - s.since;

			setText(since, (seconds === null) ? '' : format.fill(_('for %s'), format.duration(seconds)));

			const wait = (s?.next_retry_ms > 0) ? Math.max(0, s.next_retry_ms - (Date.now() - model.at)) : null;

			retry.hidden = (wait === null);
			setText(retry, (wait === null) ? '' : format.fill(_('Next attempt in %s.'), format.duration(Math.ceil(wait / 1000))));
		};

		const update = (model) => {
			const s = model.status, now = Date.now() / 1000, { key, code, text } = report.state(model), words = errors.state(key),
			      c = s?.counters, points = series.rates(model.samples), last = points[points.length - 1], tls = s?.tls, live = (key == 'up' || key == 'holding'),
			      step = STEPS.indexOf(key);

			node.dataset.state = key;
			setText(stateText, words.text);

			if (words.look !== shownLook) {
				shownLook = words.look;
				state.className = `sstp-state sstp-tone-${words.look}`;
				dom.content(markBox, [ dialog.mark(words.look) ]);
			}

			steps.hidden = (step < 0);
			steps.childNodes.forEach((li, i) => {
				li.className = (i < step) ? 'sstp-step-done' : (i == step) ? 'sstp-step-now' : '';
			});

			const error = s?.last_error;

			if (error && key != 'up')
				updateFault({ title: errors.sentence(error.code, error.message), message: error.message, hints: errors.hints(error.code, error.hint),
					code: error.code, stage: error.stage, when: error.time ? format.moment(error.time, now) : '' });
			else if (code)
				updateFault({ title: errors.sentence(code), hints: [ text ], code });
			else if (text && key != 'disabled' && key != 'absent')
				updateFault({ title: words.text, message: text, hints: [] });
			else
				updateFault(null);

			const warnings = report.warnings(s, now), noteKey = warnings.join('\n');

			if (noteKey !== shownNotes) {
				shownNotes = noteKey;
				notes.hidden = !warnings.length;
				dom.content(notes, warnings.map((w) => E('p', {}, [ dialog.mark('warn'), E('span', {}, [ w ]) ])));
			}

			const running = Boolean(s) || key == 'absent';

			show('connect', !running && key != 'disabled' && key != 'nohandler');
			show('reconnect', Boolean(s) && key != 'stopping');
			show('disconnect', running && key != 'stopping');

			tileBox.hidden = charts.hidden = !live;

			if (live) {
				setText(tiles.rx.value, format.rate(last?.rx ?? NaN));
				setText(tiles.tx.value, format.rate(last?.tx ?? NaN));
				setText(tiles.rtt.value, format.milliseconds(s.rtt_ms?.last ?? NaN));
				setText(tiles.total.value, `${format.bytes(c?.rx_bytes)} / ${format.bytes(c?.tx_bytes)}`);
				traffic.update(points, Date.now());
				roundTrip.update(points, Date.now());
			}

			groups.connection.update([ s?.server, (s?.server_address != s?.server) ? s?.server_address : '', s?.uplink, s?.proxy, errors.method(s?.auth), (key != 'up' && s?.attempt > 1) ? format.count(s.attempt) : '', (s?.reconnects > 0) ? format.count(s.reconnects) : '' ]);
			groups.security.update(tls ? [ tlsText(tls), report.verified(tls.verified_by), certificateText(tls, now), commonName(tls.issuer), format.fingerprint(tls.fingerprint?.replace(/^sha256:/, '')), errors.phrase(s.crypto_binding) ] : []);
			groups.network.update([ live ? s?.device : '', s?.ipv4?.address, s?.ipv4?.peer, (s?.ipv4?.dns ?? []).join(', '), s?.ipv6?.address, (live && s?.mtu) ? String(s.mtu) : '', rttText(s?.rtt_ms),
				c?.rx_packets >= 0 && live ? format.fill(_('%s received, %s sent'), format.count(c.rx_packets), format.count(c.tx_packets)) : '',
				(live && (c?.rx_dropped > 0 || c?.tx_dropped > 0)) ? format.fill(_('%s received, %s sent'), format.count(c.rx_dropped), format.count(c.tx_dropped)) : '' ]);

			const history = JSON.stringify(model.history ?? []);

			if (history !== shownHistory) {
				shownHistory = history;
				events.hidden = !model.history?.length;
				dom.content(eventBody, (model.history ?? []).filter(isNews).reverse().map((e) => eventRow(e, now)));
			}

			tick(model);
		};

		return { node, update, tick };
	}
});
