import { describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { load } from '../load.mjs';
import { HOSTILE, assertFits, assertUnharmed, chromium, contrasts, iface, nextPoll, recorded, routerWith, suite, until } from './page.mjs';

const errors = load('sstp.errors');
const view = { view: 'sstp.status' };
const up = (changes = {}) => ({ ...recorded('status-up'), ...changes });

// A tunnel that works: the counters go on by themselves.
function working(changes = {}) {
	const begun = Date.now();

	return () => ({ ...up(changes), counters: { ...up().counters, rx_bytes: 5e9 + (Date.now() - begun) * 1000, tx_bytes: 7e8 + (Date.now() - begun) * 100 } });
}

describe('status page', { skip: chromium ? false : 'there is no Chromium on this machine' }, () => {
	const { router, withPage } = suite();
	const card = (page, name = 'vpn') => page.locator(`.sstp-card[data-interface="${name}"]`);
	const focused = (page) => page.evaluate(() => document.activeElement.textContent);
	const fact = (page, name) => page.locator('.sstp-facts dt', { hasText: new RegExp(`^${name}$`) }).locator('xpath=following-sibling::dd[1]');

	test('a tunnel that is up shows all that the daemon knows', () => withPage(view, routerWith({ vpn: working({ uptime_s: 7980 }) }), async (page) => {
		await card(page).locator('.sstp-state', { hasText: 'Connected' }).waitFor();

		assert.equal(await card(page).locator('.sstp-since').innerText(), 'for 2 h 13 min');
		for (const [ name, want ] of [ [ 'Server', 'vpn.example:443' ], [ 'Address', '192.0.2.10:443' ], [ 'Uplink', 'wan' ], [ 'Encryption', 'TLS 1.3, TLS_AES_128_GCM_SHA256' ],
			[ 'Server verified', 'signed by a trusted authority, and the name matches' ], [ 'Issuer', 'sstp-lab authority' ], [ 'Authentication', 'MS-CHAPv2' ],
			[ 'Crypto binding', 'SHA-256 with the login\'s keys' ], [ 'Device', 'sstp-vpn' ], [ 'IPv4 address', '10.99.0.2' ], [ 'Peer', '10.99.0.1' ], [ 'DNS servers', '10.99.0.1' ], [ 'MTU', '1400' ] ])
			assert.equal(await fact(page, name).first().innerText(), want, name);
		assert.match(await fact(page, 'Certificate').innerText(), /^vpn\.example, valid until .*2049$/);

		await nextPoll(page);

		const tiles = await card(page).locator('.sstp-tile').allInnerTexts();

		assert.match(tiles[0], /^Download\n+.*bit\/s\n+4\.[0-9]+.GiB in total$/);
		assert.match(tiles[2], /^Round trip\n+0\.[0-9].ms\n+avg\. 0\.[0-9].ms, max\. 0\.[0-9].ms$/);
		assert.match(tiles[3], /^Certificate\n+8,\d\d\d days left\n+valid until .*2049$/);
		assert.equal(await card(page).locator('.sstp-fault').isVisible(), false);
		assert.match(await fact(page, 'Dropped').innerText(), /^\d+ received, 0 sent$/);
	}));

	test('the graphs draw what was polled, and keep it when the page is loaded again', () => withPage(view, routerWith({ vpn: working() }), async (page) => {
		await card(page).waitFor();
		await nextPoll(page);
		await nextPoll(page);

		const path = () => card(page).locator('.sstp-line.sstp-series-rx').getAttribute('d');

		assert.match(await path(), /^M[\d. -]+L/);
		assert.match(await card(page).locator('.sstp-tile').first().innerText(), /Download\s+[\d.]+.Mbit\/s/);
		assert.match(await card(page).locator('.sstp-plot svg').first().getAttribute('aria-label'), /Traffic\. Download now .*Mbit\/s, at most .*\. Upload now/);

		await page.reload();
		await card(page).locator('.sstp-line.sstp-series-rx[d*="L"]').waitFor({ state: 'attached' });
	}));

	test('a graph widens from one minute to five', () => withPage(view, routerWith({ vpn: working() }), async (page) => {
		const times = () => card(page).locator('.sstp-xlabels').first().locator('span').allInnerTexts();

		await nextPoll(page);
		assert.deepEqual(await times(), [ '\u221260 s', '\u221245 s', '\u221230 s', '\u221215 s', 'now' ]);

		for (const [ minutes, want ] of [ [ 1.5, '\u2212120 s,\u221290 s,\u221260 s,\u221230 s,now' ], [ 4, '\u22125 min,\u22124 min,\u22123 min,\u22122 min,\u22121 min,now' ] ]) {
			/* a poll that is under way would write its own samples over these */
			await page.evaluate(() => { standin.poll.paused = true; });
			await page.waitForFunction(() => standin.poll.queue.every((e) => e.free));
			await page.evaluate((ago) => sessionStorage.setItem('sstp.samples.vpn', JSON.stringify([ [ Date.now() - ago, 1, 1, null ] ])), minutes * 60000);
			await page.reload();
			await page.waitForSelector('body[data-ready]', { state: 'attached' });
			await nextPoll(page);
			assert.equal((await times()).join(), want);
		}
	}));

	test('the graph tells the value below the pointer', () => withPage(view, routerWith({ vpn: working() }), async (page) => {
		await card(page).waitFor();
		await nextPoll(page);
		await nextPoll(page);
		await card(page).locator('.sstp-plot').first().hover({ position: { x: 5, y: 20 } });
		assert.match(await card(page).locator('.sstp-chart-time').first().innerText(), /\d:\d\d/);
		await page.mouse.move(0, 0);
		assert.equal(await card(page).locator('.sstp-chart-time').first().innerText(), '');
	}));

	test('every state has words and a mark, and is announced', async () => {
		let state = 'starting';

		await withPage(view, routerWith({ vpn: () => up({ state, since: Math.floor(Date.now() / 1000) - 75, uptime_s: undefined }) }), async (page) => {
			const box = card(page).locator('.sstp-state');

			for (state of [ 'resolving', 'connecting', 'tls', 'sstp', 'auth', 'network', 'up', 'waiting', 'holding', 'stopping', 'something-new', 'starting' ]) {
				await nextPoll(page);
				assert.equal(await box.innerText(), errors.state(state).text);
				assert.equal(await box.getAttribute('role'), 'status');
				assert.match(await box.getAttribute('class'), new RegExp(`sstp-tone-${errors.state(state).look}`));
				assert.equal(await box.locator('svg').count(), 1);
				assert.match(await card(page).locator('.sstp-since').innerText(), /^for 1 min 1\d s$/);
				assert.equal(await card(page).locator('.sstp-charts').isVisible(), state == 'up' || state == 'holding');
				assert.equal(await card(page).locator('.sstp-steps').isVisible(), [ 'resolving', 'connecting', 'tls', 'sstp', 'auth', 'network' ].includes(state));
			}
		});
	});

	test('every error has a sentence, the daemon\'s own words, a hint and its code', async () => {
		const codes = Object.keys(errors.CODES), message = 'What exactly happened.';
		let code;

		await withPage(view, routerWith({ vpn: () => ({ ...recorded('status-untrusted'), last_error: { code, stage: 'tls', message, hint: 'A hint that knows more.', time: 1795424517 } }) }), async (page) => {
			for (code of [ ...codes, 'FLUX_LOST' ]) {
				await nextPoll(page);

				const text = await card(page).locator('.sstp-fault').innerText();

				assert.ok(text.includes(errors.CODES[code] ?? message), `${code}: ${text}`);
				assert.ok(text.includes(message) && text.includes(code), `${code}: ${text}`);
				for (const hint of errors.hints(code, 'A hint that knows more.'))
					assert.ok(text.includes(hint), `${code}: ${text}`);
			}

			assert.equal(await card(page).locator('.sstp-fault').getAttribute('role'), 'alert');
		});
	});

	test('a tunnel that waits counts down to its next attempt', () => withPage(view, routerWith({ vpn: { ...recorded('status-wrong-password'), next_retry_ms: 61000 } }), async (page) => {
		assert.match(await card(page).locator('.sstp-retry').innerText(), /^Next attempt in (1 min [01]|5\d) s\.$/);
		assert.match(await card(page).locator('.sstp-fault').innerText(), /^The server refused the user name or password\s+The server refused the user name or the password \(error 691\)/);
	}));

	test('a tunnel that was up and is dialed again shows the error and keeps its graph', () => withPage(view, routerWith({ vpn: recorded('status-holding') }), async (page) => {
		await card(page).locator('.sstp-charts').waitFor();
		assert.match(await card(page).locator('.sstp-fault').innerText(), /The server refused the connection/);
		assert.equal(await fact(page, 'Reconnections').innerText(), '1');
	}));

	test('what should not stay so is warned of', () => withPage(view, routerWith({
		vpn: recorded('status-not-verified'),
		soon: up({ tls: { ...up().tls, not_after: Math.floor(Date.now() / 1000) + 86400 * 5 + 60 } }),
		fine: recorded('status-pinned')
	}), async (page) => {
		const text = await card(page).locator('.sstp-warnings').innerText();

		assert.match(text, /is not verified.*\s+Option sstp_options: .*--frobnicate.*\s+Option pppd_options/);
		assert.match(await card(page, 'soon').locator('.sstp-warnings').innerText(), /expires in 5 days/);
		assert.equal(await card(page, 'fine').locator('.sstp-warnings').isVisible(), false);
		assert.match(await card(page, 'fine').innerText(), /matches the trusted fingerprint/);
	}));

	test('without a daemon the network service explains', () => withPage(view, routerWith({ off: 4, dead: 4, begins: 4, gone: 4, broken: 4, incomplete: 4, refused: 4, secret: Object.assign(new Error('Access denied'), { code: -32002 }), silly: 'text' }, {
		tunnel: { off: { disabled: true } },
		iface: { dead: { pending: false, autostart: true, errors: [] }, begins: { pending: true }, gone: { autostart: false, pending: false }, broken: { pending: true, errors: [ { subsystem: 'interface', code: 'AUTH_FAILED' } ] },
			incomplete: { pending: false, autostart: false, errors: [ { subsystem: 'sstp', code: 'INVALID_OPTIONS', data: [ 'The program /usr/sbin/sstp cannot be started.', 'Install the package sstp again.' ] } ] },
			refused: { pending: false, autostart: false, errors: [ { subsystem: 'sstp', code: 'INVALID_OPTIONS', data: [ "Option mtu is '9000', but must be a number from 576 to 1500.", 'Correct the named option in the interface\'s configuration.' ] } ] } }
	}), async (page) => {
		const text = async (name) => (await card(page, name).innerText()).replace(/\s+/g, ' ');

		assert.match(await text('off'), /^off Disabled/);
		assert.match(await text('dead'), /^dead Not connected.*service is not running/);
		assert.match(await text('begins'), /^begins Starting/);
		assert.match(await text('gone'), /^gone Disconnected/);
		assert.match(await text('broken'), /^broken Not connected.*The server refused the user name or password.*Check user name and password.*AUTH_FAILED/);
		assert.match(await text('incomplete'), /^incomplete Disconnected.* The program \/usr\/sbin\/sstp cannot be started\. Install the package sstp again\. INVALID_OPTIONS/);
		assert.match(await text('refused'), /An option of the tunnel has a wrong value Option mtu is '9000', but must be a number from 576 to 1500\. Correct the option that is named, .* INVALID_OPTIONS/);
		assert.match(await text('secret'), /^secret State unknown.*not allowed to see/);
		assert.match(await text('silly'), /^silly State unknown.*no usable answer/);
		assert.equal(await card(page, 'gone').getByRole('button', { name: 'Connect', exact: true }).isVisible(), true);
		assert.equal(await card(page, 'off').getByRole('button', { name: 'Connect', exact: true }).isVisible(), false);
	}));

	test('a network service that was started before the package was installed', () => withPage(view, routerWith({ vpn: 4 }, { iface: { vpn: { proto: 'none', errors: [ { subsystem: 'proto', code: 'INVALID_PROTO' } ] } }, answers: { 'network.get_proto_handlers': { static: {} } } }), async (page) => {
		assert.match(await card(page).innerText(), /Not known to the network service[^]*service network restart/);
	}));

	test('settings that were not applied', () => withPage(view, routerWith({ vpn: 4 }, { answers: { 'network.interface.dump': { interface: [] } } }), async (page) => {
		assert.match(await card(page).innerText(), /State unknown[^]*settings were not applied/);
	}));

	test('no tunnel: says so and leads to where one is made', () => withPage(view, routerWith({}), async (page) => {
		assert.match(await page.locator('.sstp-empty').innerText(), /No SSTP tunnel is configured yet/);
		assert.equal(await page.getByRole('link', { name: 'Add a tunnel…' }).getAttribute('href'), '/cgi-bin/luci/admin/network/network');
	}));

	test('no program: says so, and still shows what the network service runs', () => withPage(view, routerWith({ vpn: 4 }, { answers: { 'sstp.tunnels': undefined } }), async (page) => {
		assert.match(await page.locator('.sstp-empty').innerText(), /Is the package sstp installed\?[^]*rpcd/);
		await card(page).waitFor();
	}));

	test('a program that does not start is called missing, too', () => withPage(view, routerWith({ vpn: 4 }, { answers: { 'sstp.tunnels': 5 } }), async (page) => {
		assert.match(await page.locator('.sstp-empty').innerText(), /Is the package sstp installed\?[^]*rpcd/);
	}));

	for (const [ what, answer, want ] of [ [ 'denied', Object.assign(new Error('Access denied'), { code: -32002 }), /not allowed to do this/ ], [ 'late', 7, /did not answer in time/ ] ])
		test(`a list of tunnels that is ${what} is no missing package`, () => withPage(view, routerWith({ vpn: 4 }, { answers: { 'sstp.tunnels': answer } }), async (page) => {
			assert.match(await page.locator('.sstp-empty').innerText(), want);
			assert.doesNotMatch(await page.locator('.sstp-empty').innerText(), /rpcd/);
		}));

	test('a tunnel that is added or removed elsewhere comes and goes', () => withPage(view, routerWith({ vpn: working() }), async (page) => {
		await card(page).waitFor();
		router.answers = routerWith({ other: working() });
		for (let n = 0; n < 12; n++)
			await nextPoll(page);
		await card(page, 'other').waitFor();
		assert.equal(await card(page).count(), 0);
	}));

	test('a list that is late takes nothing away', () => withPage(view, routerWith({ vpn: working(), off: 4 }, { tunnel: { off: { disabled: true } } }), async (page) => {
		await card(page, 'off').waitFor();
		Object.assign(router.answers, { 'sstp.tunnels': 7, 'network.interface.dump': 7, 'network.get_proto_handlers': 7 });
		for (let n = 0; n < 12; n++)
			await nextPoll(page);
		assert.ok(router.called('sstp.tunnels').length > 1);
		assert.equal(await page.locator('.sstp-card').count(), 2);
		assert.equal(await card(page, 'off').locator('.sstp-state').innerText(), 'Disabled');
	}));

	test('nothing that a server, a certificate or a log says becomes markup', () => withPage(view, routerWith({ vpn: {
		...up(), server: HOSTILE, server_address: HOSTILE, uplink: HOSTILE, proxy: HOSTILE, auth: HOSTILE, crypto_binding: HOSTILE, device: HOSTILE,
		tls: { version: HOSTILE, cipher: HOSTILE, verified_by: HOSTILE, subject: `CN=${HOSTILE}`, issuer: HOSTILE, not_after: 1, fingerprint: HOSTILE },
		ipv4: { address: HOSTILE, peer: HOSTILE, dns: [ HOSTILE ] }, ipv6: { address: HOSTILE },
		reach: { checked: 1, internet: { key: 'reach_other', args: [ HOSTILE, HOSTILE ], text: HOSTILE, ok: false }, names: { key: HOSTILE, args: [], text: HOSTILE, ok: false } },
		killswitch: { on: true, complete: false, zones: [ HOSTILE ], problems: [ { key: 'no_zone', args: [ HOSTILE, HOSTILE ], text: HOSTILE } ] },
		options_warned: [ { option: HOSTILE, text: HOSTILE } ]
	}, bad: { ...recorded('status-untrusted'), state: HOSTILE, last_error: { code: HOSTILE, stage: HOSTILE, message: HOSTILE, hint: HOSTILE, time: 1 } } }, {
		answers: { 'sstp.vpn.history': { events: [ { time: 1, state: HOSTILE, code: HOSTILE, text: HOSTILE } ] } }
	}), async (page) => {
		await nextPoll(page);
		await card(page).locator('summary').click();
		assert.ok((await card(page).innerText()).includes('<img src=x'), 'it is shown as text');
		assert.ok((await card(page, 'bad').innerText()).includes('<img src=x'));
		await assertUnharmed(page);
	}));

	test('a tunnel that is up and that traffic uses', () => withPage(view, routerWith({ vpn: working() }), async (page) => {
		await card(page).locator('.sstp-state', { hasText: /^Connected$/ }).waitFor();
		assert.deepEqual(await card(page).locator('.sstp-way').allTextContents().then((rows) => rows.map((r) => r.replace(/(?<=Internet|IPv6|Firewall|warning)(?=\S)/, ' '))),
			[ 'Internet through this tunnel', 'IPv6 no IPv6 in the tunnel, and none outside', 'Names: warning by the name servers of the tunnel and of wan', 'Firewall in zone wan' ]);
		assert.match(await card(page).innerText(), /Where traffic goes[^]*Looked up at /);
		assert.equal(await card(page).locator('.sstp-way-warn').count(), 1, 'what is in order besides has no warning');
	}));

	test('a tunnel that is up and that traffic does not use is not called connected', () => withPage(view, routerWith({ vpn: recorded('status-elsewhere') }), async (page) => {
		const state = card(page).locator('.sstp-state');

		await state.getByText('Connected, but traffic does not use the tunnel').waitFor();
		assert.match(await state.getAttribute('class'), /sstp-tone-warn/);
		assert.equal(await card(page).locator('.sstp-way-warn').count(), 4);
		assert.match(await card(page).locator('.sstp-way').first().textContent(), /Internet: warning *by wan, although the tunnel is up: a route to 0\.0\.0\.0\/1 with metric 0 by eth1 goes before/);
		assert.match(await card(page).locator('.sstp-way').last().innerText(), /Kill switch[^]*on for lan, one exception[^]*The section sstp_vpn_reject_1 of the configuration is missing\./);

		router.answers['sstp.vpn.status'] = recorded('status-up');
		await nextPoll(page);
		await card(page).locator('.sstp-state', { hasText: /^Connected$/ }).waitFor();
	}));

	test('only IPv6 beside the tunnel has words of its own', () => withPage(view, routerWith({ vpn: { ...recorded('status-up'), reach: { ...recorded('status-up').reach, ipv6: { key: 'reach6_other', args: [ 'wan' ], text: 'by wan: the tunnel carries IPv4 only', ok: false } } } }), async (page) => {
		await card(page).locator('.sstp-state').getByText('Connected, but IPv6 traffic does not use the tunnel').waitFor();
	}));

	test('the kill switch is shown while nothing runs', () => withPage(view, routerWith({ vpn: 4 }, { iface: { vpn: { autostart: false, pending: false } }, tunnel: { vpn: { killswitch: { on: true, complete: true, zones: [ 'lan' ], except: [], names: true, router: false, problems: [] } } } }), async (page) => {
		await card(page).locator('.sstp-way').waitFor();
		assert.match(await card(page).innerText(), /Disconnected[^]*Kill switch\s+on for lan/);
		assert.doesNotMatch(await card(page).innerText(), /Looked up/);
	}));

	for (const scheme of [ 'light', 'dark' ])
		for (const width of [ 360, 1280 ])
			test(`where traffic goes is legible in ${scheme} and fits ${width} px`, () => withPage(view, routerWith({ vpn: recorded('status-elsewhere'), good: recorded('status-up') }), async (page) => {
				await card(page).locator('.sstp-way').first().waitFor();
				await assertFits(page);

				const found = await contrasts(page, '.sstp-way-name, .sstp-way-text, .sstp-state-text');

				assert.ok(found.length > 15);
				for (const [ text, ratio ] of found)
					assert.ok(ratio >= 4.5, `"${text}" has a contrast of ${ratio.toFixed(2)}`);
			}, { scheme, width }));

	test('an interface with an odd name', () => withPage(view, routerWith({ 'a"b\'c<i>': working() }), async (page) => {
		assert.equal(await page.locator('.sstp-card h3').innerText(), 'a"b\'c<i>');
		await assertUnharmed(page);
	}));

	test('values of the wrong kind break nothing', () => withPage(view, routerWith({ vpn: { state: 'up', since: 'x', tls: {}, rtt_ms: {}, counters: {}, ipv4: {}, options_warned: [], reach: { checked: 'x', internet: {}, ipv6: { key: 'reach_other' } }, killswitch: { on: true } }, other: { state: 'up' }, third: {} }), async (page) => {
		await nextPoll(page);
		assert.equal(await page.locator('.sstp-card').count(), 3);
		assert.doesNotMatch(await page.locator('main').innerText(), /NaN|undefined|null|Invalid/);
	}));

	for (const [ width, height ] of [ [ 360, 780 ], [ 1600, 1000 ] ])
		test(`long names fit into ${width} px`, () => withPage(view, routerWith({ [ 'x'.repeat(64) ]: { ...up(), server: `${'very-long-label.'.repeat(12)}example.org:44300`, uplink: 'u'.repeat(60), tls: { ...up().tls, subject: `CN=${'s'.repeat(200)}` }, ipv4: { ...up().ipv4, dns: [ '2001:db8:1111:2222:3333:4444:5555:6666', '2001:db8:1111:2222:3333:4444:5555:7777' ] } },
			vpn: { ...recorded('status-untrusted'), last_error: { ...recorded('status-untrusted').last_error, message: 'm'.repeat(400) } } }), async (page) => {
			await nextPoll(page);
			for (const s of await page.locator('summary').all())
				await s.click();
			await assertFits(page, `${width} px`);
		}, { width, height }));

	for (const scheme of [ 'light', 'dark' ])
		test(`texts are legible in ${scheme}`, () => withPage(view, routerWith({ vpn: recorded('status-not-verified'), bad: { ...recorded('status-wrong-password'), next_retry_ms: 9000 } }), async (page) => {
			const found = await contrasts(page, '.sstp-state-text, .sstp-since, .sstp-facts dt, .sstp-facts dd, .sstp-fault p, .sstp-warnings p, .sstp-hint, .sstp-retry, .sstp-tile dt, .sstp-tile dd, .sstp-ylabels span, .sstp-xlabels span');

			assert.ok(found.length > 30);
			for (const [ text, ratio ] of found)
				assert.ok(ratio >= 4.5, `"${text}" has a contrast of ${ratio.toFixed(2)}`);
		}, { scheme }));

	test('one request for all tunnels, and no secret is asked for', () => withPage(view, routerWith({ a: working(), b: working(), c: working() }), async (page) => {
		await nextPoll(page);
		router.requests = 0;
		router.calls.length = 0;
		await nextPoll(page);
		assert.equal(router.requests, 1);
		assert.deepEqual(router.calls.map((c) => c.name).sort(), [ 'sstp.a.status', 'sstp.b.status', 'sstp.c.status' ]);

		for (let n = 0; n < 12; n++)
			await nextPoll(page);
		assert.deepEqual(router.calls.filter((c) => /^uci\.|^file\./.test(c.name)), [], 'the configuration, which holds passwords, is left alone');
	}));

	test('the history is fetched when something has happened, not each time', () => withPage(view, routerWith({ vpn: working() }), async (page) => {
		for (let n = 0; n < 4; n++)
			await nextPoll(page);
		assert.equal(router.called('sstp.vpn.history').length, 1);

		router.answers['sstp.vpn.status'] = recorded('status-untrusted');
		router.answers['sstp.vpn.history'] = recorded('history-untrusted');
		await nextPoll(page);
		await nextPoll(page);
		assert.equal(router.called('sstp.vpn.history').length, 2);

		await card(page).locator('summary').click();

		const rows = await card(page).locator('.sstp-events li').allInnerTexts();

		assert.match(rows[0], /waiting to try again\s+next attempt in \d+ms/);
		assert.match(rows[1], /The server's certificate is not trusted\s+No CA certificates/);
		assert.equal(rows.length, 3, 'the steps that went well are no news');
		assert.equal(await card(page).locator('.sstp-events .sstp-look-busy').count(), 0, 'what is over is not busy any more');
	}));

	test('a page that nobody sees asks nothing', () => withPage(view, routerWith({ vpn: working() }), async (page) => {
		await nextPoll(page);
		await page.evaluate(() => {
			Object.defineProperty(document, 'hidden', { configurable: true, get: () => true });
			document.dispatchEvent(new Event('visibilitychange'));
		});
		router.requests = 0;
		for (let n = 0; n < 3; n++)
			await nextPoll(page);
		assert.equal(router.requests, 0);

		await page.evaluate(() => {
			Object.defineProperty(document, 'hidden', { configurable: true, get: () => false });
			document.dispatchEvent(new Event('visibilitychange'));
		});
		await page.waitForFunction(() => standin.poll.queue.every((e) => e.free));
		await nextPoll(page);
		assert.ok(router.requests >= 1);
	}));

	test('slow answers do not pile up', () => withPage(view, routerWith({ vpn: working() }), async (page) => {
		await nextPoll(page);
		router.delay = 1500;
		router.requests = 0;
		await page.evaluate(() => { for (let n = 0; n < 30; n++) standin.poll.step(); });
		await until(() => router.requests);
		await page.waitForTimeout(300);
		assert.equal(router.requests, 1);
	}));

	test('a router that falls silent: the picture stays, is called old, and lives on when it is back', () => withPage(view, routerWith({ vpn: working() }), async (page) => {
		await card(page).locator('.sstp-state', { hasText: 'Connected' }).waitFor();
		router.dead = true;
		await nextPoll(page);
		assert.equal(await page.getByText('The router does not answer').isVisible(), false, 'one missed answer is no news');
		assert.equal(await card(page).locator('.sstp-state').innerText(), 'Connected');

		await page.clock.setSystemTime(Date.now() + 20000);
		await nextPoll(page);
		await page.getByText('The router does not answer').waitFor();

		await page.clock.setSystemTime(Date.now());
		router.dead = false;
		await nextPoll(page);
		await page.getByText('The router does not answer').waitFor({ state: 'hidden' });
		assert.equal(await card(page).locator('.sstp-state').innerText(), 'Connected');
	}));

	test('where the refresh is switched off, silence is no trouble', () => withPage(view, routerWith({ vpn: working() }), async (page) => {
		await card(page).locator('.sstp-state', { hasText: 'Connected' }).waitFor();
		await page.evaluate(() => { standin.poll.paused = true; });
		await page.clock.setSystemTime(Date.now() + 60000);
		await page.waitForTimeout(1200);
		assert.equal(await page.getByText('The router does not answer').isVisible(), false);
		await page.clock.setSystemTime(Date.now());
	}));

	test('the buttons do what they say', () => withPage(view, routerWith({ vpn: working(), off: 4 }, { iface: { off: { autostart: false, pending: false } }, answers: { 'sstp.vpn.reconnect': 0, 'network.interface.up': 0, 'network.interface.down': 0 } }), async (page) => {
		let answer;

		router.answers['sstp.vpn.reconnect'] = () => new Promise((done) => { answer = () => done(0); });
		await card(page).getByRole('button', { name: 'Reconnect' }).click();
		await card(page).locator('[aria-busy=true]').waitFor();
		await card(page).getByRole('button', { name: 'Reconnect' }).click();
		await until(() => answer);
		answer();
		await card(page).locator('[aria-busy=true]').waitFor({ state: 'detached' });
		assert.equal(router.called('sstp.vpn.reconnect').length, 1, 'once is enough');
		assert.equal(await focused(page), 'Reconnect');

		await card(page, 'off').getByRole('button', { name: 'Connect', exact: true }).click();
		await until(() => router.called('network.interface.up').length);
		assert.deepEqual(router.called('network.interface.up')[0].args, { interface: 'off' });

		await card(page).getByRole('button', { name: 'Disconnect' }).click();
		assert.match(await page.getByRole('dialog').innerText(), /Disconnect vpn\?[^]*lock yourself out/);
		await page.getByRole('dialog').getByRole('button', { name: 'Cancel' }).click();
		await page.getByRole('dialog').waitFor({ state: 'detached' });
		assert.equal(router.called('network.interface.down').length, 0, 'not without being sure');
		assert.equal(await focused(page), 'Disconnect', 'the focus is back where it was');

		await card(page).getByRole('button', { name: 'Disconnect' }).click();
		await page.getByRole('dialog').getByRole('button', { name: 'Disconnect' }).click();
		await until(() => router.called('network.interface.down').length);
		assert.deepEqual(router.called('network.interface.down')[0].args, { interface: 'vpn' });
		Object.assign(router.answers, { 'sstp.vpn.status': 4, 'network.interface.dump': { interface: [ iface('vpn', { autostart: false, pending: false }) ] } });
		await card(page).and(page.locator('[data-state=stopped]')).waitFor();
		assert.equal(await focused(page), 'Connect', 'what took the place of the button has the focus');
		assert.equal(await card(page).getByRole('link', { name: 'Edit' }).getAttribute('href'), '/cgi-bin/luci/admin/network/network');
	}));

	test('a button that fails says why', () => withPage(view, routerWith({ vpn: working() }, { answers: { 'sstp.vpn.reconnect': 6 } }), async (page) => {
		await card(page).getByRole('button', { name: 'Reconnect' }).click();
		assert.match(await page.locator('.alert-message').innerText(), /Your account on the router is not allowed to do this/);
	}));

	test('a login that may only read gets no buttons that change something', () => withPage({ ...view, readonly: '' }, routerWith({ vpn: working(), off: 4 }, { iface: { off: { autostart: false } } }), async (page) => {
		await card(page).waitFor();
		assert.equal(await page.getByRole('button').count(), 0);
		assert.equal(await page.locator('main').getByRole('link').count(), 0, 'nor a way to settings that it may not see');
	}));

	test('nothing is shown before its style sheet is there, and without one all is', () => withPage({ ...view, readonly: '' }, routerWith({ vpn: working() }), async (page) => {
		let give;
		const asked = new Promise((heard) => page.route('**/sstp.css', (route) => {
			give = route;
			heard();
		}));

		await Promise.all([ page.reload(), asked.then(async () => {
			await page.waitForFunction(() => window.standin?.poll);
			assert.equal(await card(page).count(), 0);
			await give.continue();
		}) ]);
		await card(page).waitFor();
		assert.equal(await page.getByRole('button').count(), 0);

		await page.unroute('**/sstp.css');
		await page.route('**/sstp.css', (route) => route.abort());
		await page.reload();
		await card(page).waitFor();
	}));

	test('a login that may only read is not sent to add a tunnel', () => withPage({ ...view, readonly: '' }, routerWith({}), async (page) => {
		assert.match(await page.locator('.sstp-empty').innerText(), /^No SSTP tunnel is configured yet\.$/);
		assert.equal(await page.locator('main').getByRole('link').count(), 0);
	}));

	test('focus, open parts and selection survive the polls', () => withPage(view, routerWith({ vpn: working() }), async (page) => {
		await nextPoll(page);
		await card(page).locator('summary').click();
		await card(page).getByRole('button', { name: 'Test connection' }).focus();
		await page.evaluate(() => getSelection().selectAllChildren(document.querySelector('.sstp-facts dd:not([hidden])')));
		await nextPoll(page);
		await nextPoll(page);
		assert.equal(await page.evaluate(() => document.activeElement.textContent), 'Test connection');
		assert.equal(await page.evaluate(() => String(getSelection())), 'vpn.example:443');
		assert.equal(await card(page).locator('details').evaluate((d) => d.open), true);
	}));

	test('who listens hears a change once, and no chatter', () => withPage(view, routerWith({ vpn: working(), bad: recorded('status-wrong-password') }), async (page) => {
		await nextPoll(page);
		await page.evaluate(() => {
			window.spoken = 0;
			for (const node of document.querySelectorAll('[role=status], [role=alert], [aria-live]'))
				new MutationObserver((list) => window.spoken += list.length).observe(node, { subtree: true, childList: true, characterData: true });
		});
		for (let n = 0; n < 3; n++)
			await nextPoll(page);
		assert.equal(await page.evaluate(() => window.spoken), 0);

		router.answers['sstp.vpn.status'] = recorded('status-holding');
		await nextPoll(page);
		assert.ok(await page.evaluate(() => window.spoken) > 0);
	}));

	test('everything is reached by keyboard, and has a name', () => withPage(view, routerWith({ vpn: working() }, { answers: { 'sstp.probe': recorded('probe-passed') } }), async (page) => {
		await nextPoll(page);

		const seen = [];

		for (let n = 0; n < 6; n++) {
			await page.keyboard.press('Tab');
			seen.push(await page.evaluate(() => document.activeElement.textContent.trim()));
		}

		assert.deepEqual(seen.slice(0, 5), [ 'Reconnect', 'Disconnect', 'Test connection', 'Edit', 'History' ]);
		assert.equal(await card(page).evaluate((n) => document.getElementById(n.getAttribute('aria-labelledby')).textContent), 'vpn');

		await card(page).getByRole('button', { name: 'Test connection' }).focus();
		await page.keyboard.press('Enter');
		await page.getByRole('dialog', { name: 'Test connection: vpn' }).waitFor();
		await page.keyboard.press('Escape');
		await page.getByRole('dialog').waitFor({ state: 'detached' });
		assert.equal(await page.evaluate(() => document.activeElement.textContent), 'Test connection');
	}));

	test('a browser that keeps nothing shows the page all the same', () => withPage(view, routerWith({ vpn: working() }), async (page) => {
		await page.addInitScript(() => Object.defineProperty(window, 'sessionStorage', { get: () => { throw new Error('forbidden'); } }));
		await page.reload();
		await card(page).locator('.sstp-state', { hasText: 'Connected' }).waitFor();
	}));

	test('the overview shows state and traffic, and nothing where there is no tunnel', () => withPage({ include: '35_sstp' }, routerWith({ vpn: working({ uptime_s: 70 }), bad: recorded('status-untrusted'), off: 4, [HOSTILE]: up({ server: HOSTILE }) }, { tunnel: { off: { disabled: true } } }), async (page) => {
		const row = async (n) => (await page.locator('tr').nth(n).innerText()).replace(/\s+/g, ' ');

		assert.match(await row(1), /^vpn Connected Names: by the name servers of the tunnel and of wan for 1 min 10 s vpn\.example:443 Download: .*GiB Upload: .*MiB$/);
		assert.match(await row(2), /^bad Not connected, waiting to try again The server's certificate is not trusted vpn\.example:443 -$/);
		assert.match(await row(3), /^off Disabled vpn\.example -$/);
		await assertUnharmed(page);

		router.answers = routerWith({ vpn: recorded('status-elsewhere') });
		await page.reload();
		await page.waitForSelector('body[data-ready]', { state: 'attached' });
		assert.match(await row(1), /^vpn Connected, but traffic does not use the tunnel Internet: by wan, although the tunnel is up: .* Kill switch: on for lan, one exception \u2013 The section sstp_vpn_reject_1/);

		router.answers = routerWith({});
		await page.reload();
		await page.waitForSelector('body[data-ready]', { state: 'attached' });
		assert.equal(await page.locator('table').count(), 0);
	}));
});
