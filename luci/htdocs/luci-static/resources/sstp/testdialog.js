'use strict';
'require baseclass';
'require dom';
'require sstp.api as api';
'require sstp.dialog as dialog';
'require sstp.errors as errors';
'require sstp.format as format';
'require sstp.report as report';

/*
 * Test connection: what each stage found, the server's certificates, and the question whether to trust one. All that a
 * server or a certificate says becomes a text node.
 */

const LOOK_WORDS = { ok: _('passed'), failed: _('failed'), open: _('not reached') };

function paragraph(text, className) {
	return E('p', { 'class': className || '' }, [ text ]);
}

function verdictLine(look, text) {
	return E('p', { 'class': `sstp-verdict sstp-tone-${look}` }, [ dialog.mark(look), E('span', {}, [ text ]) ]);
}

function stageRow(row, trustable) {
	const details = [];

	if (row.finding)
		details.push(E('div', { 'class': 'sstp-finding' }, [ errors.phrase(row.finding) ]));

	if (row.look == 'failed') {
		details.push(E('div', { 'class': 'sstp-strong' }, [ errors.title(row.code, row.message) ]));

		if (row.message && row.message != errors.title(row.code, row.message))
			details.push(E('div', { 'class': 'sstp-finding' }, [ row.message ]));
		for (const hint of errors.hints(row.code, row.hint, trustable))
			details.push(E('div', { 'class': 'sstp-hint' }, [ hint ]));
	}

	return E('li', { 'class': `sstp-stage sstp-stage-${row.look}`, 'data-stage': row.stage }, [
		dialog.mark(row.look),
		E('div', { 'class': 'sstp-stage-name' }, [
			errors.stage(row.stage),
			E('span', { 'class': 'sstp-hidden' }, [ `: ${LOOK_WORDS[row.look]}` ])
		]),
		E('div', { 'class': 'sstp-stage-text' }, [ ...details ]),
		E('div', { 'class': 'sstp-stage-time' }, [ (row.ms >= 0) ? format.milliseconds(row.ms) : '' ])
	]);
}

function facts(pairs) {
	return E('dl', { 'class': 'sstp-facts' }, pairs.filter(([ , value ]) => value).flatMap(([ name, value, className ]) => [
		E('dt', {}, [ name ]),
		E('dd', { 'class': className || '' }, [ ...dialog.breakable(value) ])
	]));
}

function validity(c) {
	const days = format.daysLeft(c.not_after, Date.now() / 1000),
	      text = format.fill(_('%s to %s'), format.day(c.not_before), format.day(c.not_after));

	return (days < 0)
		? format.fill(_('%s (expired)'), text)
		: format.fill(N_(days, '%s (one day left)', '%s (%s days left)'), text, format.count(days));
}

function certificateFacts(c, more) {
	return facts([
		[ _('Subject'), c.subject || _('(none)') ],
		[ _('Issuer'), (c.issuer == c.subject) ? _('itself (self-signed)') : c.issuer ],
		[ _('Names'), (c.names ?? []).join(', ') ],
		[ _('Valid'), validity(c) ],
		[ _('SHA-256 fingerprint'), format.fingerprint(c.sha256), 'sstp-code sstp-bytes' ],
		...(more ?? [])
	]);
}

function chain(server) {
	const list = server.chain ?? [];

	if (!list.length)
		return [];

	return [ E('details', { 'class': 'sstp-chain' }, [
		E('summary', {}, [ format.fill(N_(list.length, 'The server\'s certificate', 'The server\'s certificates (%s)'), list.length) ]),
		E('ol', { 'class': (list.length > 1) ? '' : 'sstp-single' }, list.map((c, i) => E('li', {}, [
			certificateFacts(c, (i == 0 && c.spki_sha256) ? [ [ _('Key pin'), `spki-sha256:${c.spki_sha256}`, 'sstp-code' ] ] : [])
		])))
	]) ];
}

/* One server's part of the result, and what there is to trust in it. */
function serverPart(server, single, mayTrust) {
	const rows = report.rows(server), verdict = report.verdict(rows, server.login_not_tried), failed = rows.find((r) => r.look == 'failed'),
	      certificate = server.chain?.[0], doubtful = server.verified_by == 'none' || errors.isTrustable(failed?.code);

	return {
		node: E('section', { 'class': 'sstp-result' }, [
			single ? '' : E('h5', {}, [ server.server ]),
			verdictLine(verdict.look, verdict.text),
			E('ol', { 'class': 'sstp-stages' }, rows.map((r) => stageRow(r, mayTrust && certificate))),
			...chain(server)
		]),
		verdict: verdict.text,
		held: server.login_not_tried != null && !failed,
		offer: (mayTrust && certificate && doubtful) ? { server: server.server, code: failed?.code, certificate } : null
	};
}

return baseclass.extend({
	/*
	 * Opens the dialog and runs the probe. run(anyway) gives api.probe's answer, where anyway allows a login that may cut a
	 * running tunnel; trust(pin, replace) stores a pin and resolves
	 * to { value } or { failure }, or is null where the login may not. atOnce asks for trust as soon as there is a certificate.
	 * Resolves when the dialog was closed.
	 */
	open(name, run, trust, atOnce) {
		const d = dialog.open(format.fill(_('Test connection: %s'), name)),
		      live = E('div', { 'role': 'status', 'aria-live': 'polite' }),
		      result = E('div', {}),
		      again = dialog.button(_('Test again'), 'neutral', () => start()),
		      close = dialog.button(_('Close'), 'neutral', d.close),
		      offers = E('span', { 'class': 'sstp-offers' });
		let timer = null, turn = 0;

		d.body.append(live, result);
		d.footer.append(close, again, offers);
		d.closed.then(() => {
			turn++;
			window.clearInterval(timer);
		});

		const show = (answer) => {
			const servers = answer.value?.servers ?? [], parts = servers.map((s) => serverPart(s, servers.length == 1, trust != null)),
			      error = answer.value?.error, offered = parts.map((p) => p.offer).filter((o) => o),
			      bad = answer.failure ? api.explain(answer) : error ? errors.sentence(error.code, error.message) : servers.length ? '' : _('The router gave no usable answer.');

			dom.content(result, [
				bad ? verdictLine('failed', bad) : '',
				(error && error.message != bad) ? paragraph(error.message ?? '') : '',
				...(error ? errors.hints(error.code, error.hint) : []).map((h) => paragraph(h, 'sstp-hint')),
				...parts.map((p) => p.node),
				...(answer.value?.warnings ?? []).map((w) => paragraph(format.fill(_('Option %s: %s'), w.option, errors.phrase(w.text)), 'sstp-hint'))
			]);

			/* said once, as a whole, to those who listen; the eye finds it in the result */
			dom.content(live, [ E('span', { 'class': 'sstp-hidden' }, [ [ bad, ...parts.map((p) => p.verdict) ].filter((t) => t).join(' ') ]) ]);

			const held = parts.some((p) => p.held);

			again.textContent = held ? _('Test without logging in') : _('Test again');

			dom.content(offers, [
				held ? dialog.button(_('Test with login: may cut the running tunnel'), 'negative', () => start(true)) : '',
				...offered.map((offer) => dialog.button((offered.length == 1)
					? _('Trust this certificate\u2026') : format.fill(_('Trust %s\u2026'), offer.server), 'positive important', () => ask(offer)))
			]);

			askAtOnce(offered);
		};

		/* the first certificate is what the dialog was opened for */
		const askAtOnce = ([ offer ]) => {
			if (atOnce && offer)
				ask(offer);
			atOnce = false;
		};

		const ask = (offer) => this.askTrust(offer).then((choice) => choice ? trust(choice.pin, choice.replace).then((done) => {
			if (done.failure || done.value?.error) {
				show({ value: { error: done.value?.error ?? { message: api.explain(done) } } });
				return;
			}

			start();
		}) : null);

		const start = (anyway) => {
			const mine = ++turn, begun = Date.now(),
			      seconds = E('span', { 'aria-hidden': 'true' });

			/* the button that was pressed is about to go or to be of no use */
			if (d.footer.contains(document.activeElement))
				close.focus();

			again.disabled = true;
			dom.content(offers, []);
			dom.content(result, []);
			dom.content(live, E('p', { 'class': 'spinning sstp-running' }, [ _('Testing the connection\u2026'), ' ', seconds ]));
			window.clearInterval(timer);
			timer = window.setInterval(() => {
				seconds.textContent = format.duration((Date.now() - begun) / 1000);
			}, 1000);

			return run(anyway == true).then((answer) => {
				if (mine != turn)
					return;

				window.clearInterval(timer);
				again.disabled = false;
				show(answer);
			});
		};

		start();
		return d.closed;
	},

	/* Shows a certificate and asks. Resolves to { pin, replace }, or null. */
	askTrust({ server, code, certificate }) {
		const changed = code == 'CERT_PIN_MISMATCH';

		return dialog.confirm(_('Trust this certificate?'), [
			E('p', {}, [ format.fill(_('%s presented this certificate:'), server) ]),
			certificateFacts(certificate),
			changed ? verdictLine('warn', _('It is not the one that was trusted before. If nobody renewed it, somebody may be in between.')) : '',
			E('p', {}, [ _('Compare the fingerprint with that of the server, seen on the server itself or told by its administrator. Only if every digit agrees can you be sure that nobody is in between.') ]),
			E('p', { 'class': 'sstp-hint' }, [ _('From then on this certificate is accepted, whoever signed it, and needs to be trusted again when it is renewed.') ])
		], changed ? _('Trust it instead') : _('Trust this certificate'), changed ? 'negative important' : 'positive important')
			.then((agreed) => agreed ? { pin: `sha256:${certificate.sha256}`, replace: changed } : null);
	}
});
