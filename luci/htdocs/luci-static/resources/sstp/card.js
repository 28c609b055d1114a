'use strict';
'require baseclass';
'require dom';
'require sstp.chart as chart';
'require sstp.dialog as dialog';
'require sstp.errors as errors';
'require sstp.format as format';
'require sstp.reach as reach';
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

/* A number to be seen from afar, with a line below it. */
function tile(name) {
	const value = E('dd', {}), more = E('dd', { 'class': 'sstp-hint' }), node = E('div', { 'class': 'sstp-tile' }, [ E('dt', {}, [ name ]), value, more ]);

	return {
		node,
		update(text, below, look) {
			setText(value, text);
			setText(more, below || '\u00a0');
			value.className = look ? `sstp-look-${look}` : '';
		}
	};
}

/* The common name of an X.509 subject, the whole of it where there is none. */
function commonName(subject) {
	return subject?.match(/(?:^|,)\s*CN=((?:\\.|[^,\\])+)/)?.[1]?.replace(/\\(.)/g, '$1') ?? subject ?? '';
}

function certificateText(tls, now) {
	if (!tls.not_after)
		return commonName(tls.subject);

	return format.fill((tls.not_after < now) ? _('%s, expired on %s') : _('%s, valid until %s'), commonName(tls.subject), format.day(tls.not_after));
}

function tlsText(tls) {
	return [ tls.version, tls.cipher, (tls.path == 'kernel') ? _('encrypted by the kernel') : '' ].filter((t) => t).join(', ');
}

function rttText(rtt) {
	return (rtt?.max >= 0) ? format.fill(_('avg. %s, max. %s'), format.milliseconds(rtt.avg), format.milliseconds(rtt.max)) : '';
}

/* The steps of a call that went well are no news. */
function isNews(event) {
	return event.code || event.state == 'starting' || errors.state(event.state).look != 'busy';
}

/* What is over is not busy any more. */
function eventRow(event, now) {
	const state = errors.state(event.state), failed = event.code ? errors.sentence(event.code, event.text) : null;

	return E('li', { 'class': 'sstp-stage' }, [
		dialog.mark(failed ? 'failed' : (state.look == 'busy') ? 'open' : state.look),
		E('div', { 'class': 'sstp-stage-name' }, [ failed ?? state.text ]),
		E('div', { 'class': 'sstp-stage-text' }, [ (event.text && event.text != failed) ? errors.phrase(event.text) : '' ]),
		E('div', { 'class': 'sstp-stage-time' }, [ format.moment(event.time, now) ])
	]);
}

/* One way that traffic takes, or may not take. */
function wayRow({ name, look, text, more }) {
	return E('li', { 'class': `sstp-way sstp-way-${look}` }, [
		dialog.mark(look),
		E('div', { 'class': 'sstp-way-name' }, [ name, (look == 'warn') ? E('span', { 'class': 'sstp-hidden' }, [ `: ${_('warning')}` ]) : '' ]),
		E('div', { 'class': 'sstp-way-text' }, [ text, ...more.map((m) => E('div', {}, [ m ])) ])
	]);
}

return baseclass.extend({
	/*
	 * actions: { connect, disconnect, reconnect, test, sure } each called with the tunnel's name and giving a promise; null
	 * where the session may only read. sure asks before disconnect. editUrl leads to the settings, null likewise. Returns { node,
	 * update(model), tick(model) }; model is what view/sstp/status.js gathers.
	 */
	create(name, actions, editUrl) {
		const headId = `sstp-head-${name}`,
		      markBox = E('span', { 'class': 'sstp-state-mark' }),
		      stateText = E('span', { 'class': 'sstp-state-text' }),
		      state = E('span', { 'class': 'sstp-state', 'role': 'status', 'aria-live': 'polite' }, [ markBox, stateText ]),
		      since = E('span', { 'class': 'sstp-since' }),
		      steps = E('ol', { 'class': 'sstp-steps', 'hidden': '', 'aria-hidden': 'true' }, STEPS.map((s) => E('li', { 'title': errors.state(s).text }))),
		      fault = E('div', { 'class': 'sstp-notice sstp-fault', 'role': 'alert', 'hidden': '' }),
		      retry = E('p', { 'class': 'sstp-retry', 'hidden': '' }),
		      notes = E('div', { 'class': 'sstp-warnings', 'hidden': '' }),
		      reachList = E('ul', { 'class': 'sstp-reach' }),
		      reachTime = E('p', { 'class': 'sstp-hint' }),
		      reachBox = E('div', { 'class': 'sstp-group', 'hidden': '' }, [ E('h4', {}, [ _('Where traffic goes') ]), reachList, reachTime ]),
		      tiles = { rx: tile(_('Download')), tx: tile(_('Upload')), rtt: tile(_('Round trip')), certificate: tile(_('Certificate')) },
		      tileBox = E('dl', { 'class': 'sstp-tiles' }, Object.values(tiles).map((t) => t.node)),
		      traffic = chart.create({ title: _('Traffic'), least: 10000, text: (v) => format.rate(v), series: [
			{ key: 'rx', label: _('Download'), look: 'rx', area: true }, { key: 'tx', label: _('Upload'), look: 'tx' } ] }),
		      roundTrip = chart.create({ title: _('Round trip'), least: 4, text: (v) => format.milliseconds(v), series: [ { key: 'rtt', label: '', look: 'rtt' } ] }),
		      charts = E('div', { 'class': 'sstp-charts' }, [ traffic.node, roundTrip.node ]),
		      groups = {
			connection: rows(_('Connection'), [ _('Server'), _('Address'), _('Uplink'), _('Proxy'), _('Authentication'), _('Attempt'), _('Reconnections') ]),
			security: rows(_('Security'), [ _('Encryption'), _('Server verified'), _('Certificate'), _('Issuer'), _('Fingerprint'), _('Crypto binding') ]),
			network: rows(_('Network'), [ _('Device'), _('IPv4 address'), _('Peer'), _('DNS servers'), _('IPv6 address'), _('MTU'), _('Packets'), _('Dropped') ])
		      },
		      eventList = E('ol', { 'class': 'sstp-stages' }),
		      events = E('details', { 'class': 'sstp-events', 'hidden': '' }, [ E('summary', {}, [ _('History') ]), eventList ]);

		/* A button at work is not disabled, which would take the focus from it. */
		const act = (label, style, run, sure) => {
			let working = false;

			const busy = (on) => {
				working = on;
				button.classList.toggle('sstp-working', on);
				button.setAttribute('aria-busy', String(on));
			};
			const work = () => {
				busy(true);
				Promise.resolve(run(name)).finally(() => busy(false));
			};
			const button = dialog.button(label, style, () => {
				if (working)
					return;

				if (sure)
					sure(name).then((agreed) => agreed ? work() : null);
				else
					work();
			});

			return button;
		};
		const buttons = {
			connect: act(_('Connect'), 'positive', (n) => actions.connect(n)),
			reconnect: act(_('Reconnect'), 'action', (n) => actions.reconnect(n)),
			disconnect: act(_('Disconnect'), 'negative', (n) => actions.disconnect(n), actions.sure),
			test: act(_('Test connection'), 'neutral', (n) => actions.test(n))
		};
		/* One that goes away hands the focus on to what came in its place. */
		const show = (wanted) => {
			const focused = Object.values(buttons).find((b) => b === document.activeElement);

			for (const which in buttons)
				buttons[which].hidden = !(wanted[which] && actions[which]);

			if (focused?.hidden)
				Object.values(buttons).find((b) => !b.hidden)?.focus();
		};
		let shownHistory = null, shownFault = null, shownLook = null, shownNotes = null, shownReach = null;

		const node = E('section', { 'class': 'cbi-section sstp-card', 'aria-labelledby': headId, 'data-interface': name }, [
			E('div', { 'class': 'sstp-card-head' }, [
				E('div', { 'class': 'sstp-card-title' }, [ E('h3', { 'id': headId }, [ name ]), state, since ]),
				E('div', { 'class': 'sstp-actions' }, [ ...Object.values(buttons), editUrl ? E('a', { 'class': 'btn cbi-button cbi-button-edit', 'href': editUrl }, [ _('Edit') ]) : '' ])
			]),
			steps, fault, retry, notes, reachBox, tileBox, charts,
			E('div', { 'class': 'sstp-groups' }, Object.values(groups).map((g) => g.node)),
			events
		]);

		show({ test: true });

		/* The last failure with its hint; rewritten only when it is another one, so that it is read out once. */
		const updateFault = (f) => {
			const key = JSON.stringify(f);

			if (key === shownFault)
				return;

			shownFault = key;
			fault.hidden = !f;
			dom.content(fault, f ? dialog.notice('failed', f.title, [
				(f.message && f.message != f.title) ? E('p', {}, [ f.message ]) : '',
				...f.hints.map((h) => E('p', {}, [ h ])),
				f.code ? E('p', { 'class': 'sstp-hint' }, [ [ f.code, f.stage ? errors.stage(f.stage) : '', f.when ].filter((t) => t).join(' \u00b7 ') ]) : ''
			]) : []);
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
			setText(retry, (wait === null) ? '' : format.fill(_('Next attempt in %s.'), format.duration(Math.max(1, Math.ceil(wait / 1000)))));
		};

		const update = (model) => {
			const s = model.status, now = Date.now() / 1000, { key, code, text, hint } = report.state(model), words = errors.state((key == 'up') ? reach.state(s) : key),
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
				updateFault({ title: errors.title(error.code, error.message), message: error.message, hints: errors.hints(error.code, error.hint),
					code: error.code, stage: error.stage, when: error.time ? format.moment(error.time, now) : '' });
			else if (code)
				updateFault({ title: errors.title(code, text), message: errors.phrase(text), hints: errors.hints(code, hint), code });
			else if (text && key != 'disabled' && key != 'absent')
				updateFault({ title: words.text, message: text, hints: [] });
			else
				updateFault(null);

			const warnings = report.warnings(s, now), noteKey = warnings.join('\n');

			if (noteKey !== shownNotes) {
				shownNotes = noteKey;
				notes.hidden = !warnings.length;
				dom.content(notes, warnings.map((w) => E('div', { 'class': 'sstp-notice sstp-tone-warn' }, [ dialog.mark('warn'), E('p', {}, [ w ]) ])));
			}

			const ways = reach.rows(live ? s : { killswitch: s?.killswitch }, model.tunnel), reachKey = JSON.stringify(ways), looked = live ? s.reach?.checked : 0;

			if (reachKey !== shownReach) {
				shownReach = reachKey;
				reachBox.hidden = !ways.length;
				dom.content(reachList, ways.map(wayRow));
			}

			reachTime.hidden = !(looked > 0);
			setText(reachTime, (looked > 0) ? format.fill(_('Looked up at %s.'), format.moment(looked, now)) : '');

			const running = Boolean(s) || key == 'absent';

			show({
				connect: !running && key != 'disabled' && key != 'nohandler',
				reconnect: Boolean(s) && key != 'stopping',
				disconnect: running && key != 'stopping',
				test: true
			});

			tileBox.hidden = charts.hidden = !live;

			if (live) {
				const days = tls?.not_after ? format.daysLeft(tls.not_after, now) : null;

				tiles.rx.update(format.rate(last?.rx ?? NaN), (c?.rx_bytes >= 0) ? format.fill(_('%s in total'), format.bytes(c.rx_bytes)) : '');
				tiles.tx.update(format.rate(last?.tx ?? NaN), (c?.tx_bytes >= 0) ? format.fill(_('%s in total'), format.bytes(c.tx_bytes)) : '');
				tiles.rtt.update(format.milliseconds(s.rtt_ms?.last ?? NaN), rttText(s.rtt_ms));
				tiles.certificate.node.hidden = (days === null);

				if (days !== null)
					tiles.certificate.update((days < 0) ? _('expired') : format.fill(N_(days, 'one day left', '%s days left'), format.count(days)),
						format.fill((days < 0) ? _('since %s') : _('valid until %s'), format.day(tls.not_after)), report.isSoon(days) ? 'warn' : '');
				traffic.update(points, Date.now());
				roundTrip.update(points, Date.now());
			}

			groups.connection.update([ s?.server, (s?.server_address != s?.server) ? s?.server_address : '', s?.uplink, s?.proxy, errors.method(s?.auth), (key != 'up' && s?.attempt > 1) ? format.count(s.attempt) : '', (s?.reconnects > 0) ? format.count(s.reconnects) : '' ]);
			groups.security.update(tls ? [ tlsText(tls), report.verified(tls.verified_by), certificateText(tls, now), commonName(tls.issuer), format.fingerprint(tls.fingerprint?.replace(/^sha256:/, '')), errors.phrase(s.crypto_binding) ] : []);
			groups.network.update([ live ? s?.device : '', s?.ipv4?.address, s?.ipv4?.peer, (s?.ipv4?.dns ?? []).join(', '), s?.ipv6?.address, (live && s?.mtu) ? String(s.mtu) : '',
				c?.rx_packets >= 0 && live ? format.fill(_('%s received, %s sent'), format.count(c.rx_packets), format.count(c.tx_packets)) : '',
				(live && (c?.rx_dropped > 0 || c?.tx_dropped > 0)) ? format.fill(_('%s received, %s sent'), format.count(c.rx_dropped), format.count(c.tx_dropped)) : '' ]);

			const history = JSON.stringify(model.history ?? []);

			if (history !== shownHistory) {
				shownHistory = history;
				events.hidden = !model.history?.length;
				dom.content(eventList, (model.history ?? []).filter(isNews).reverse().map((e) => eventRow(e, now)));
			}

			tick(model);
		};

		return { node, update, tick };
	}
});
