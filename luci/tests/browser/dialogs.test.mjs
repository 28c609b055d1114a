import { describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { load } from '../load.mjs';
import { HOSTILE, assertFits, assertUnharmed, chromium, contrasts, recorded, routerWith, suite, until } from './page.mjs';

const errors = load('sstp.errors');
const view = { view: 'sstp.status' };

describe('test connection and trust', { skip: chromium ? false : 'there is no Chromium on this machine' }, () => {
	const { router, withPage } = suite();

	// Opens the page, tests the connection with the given answer of the router, and gives the dialog.
	const probed = (answer, body, options, query = view) => withPage(query, routerWith({ vpn: recorded('status-untrusted') }, { answers: { 'sstp.probe': answer, 'sstp.trust': {} } }), async (page) => {
		await page.getByRole('button', { name: 'Test connection' }).click();

		const dialog = page.getByRole('dialog', { name: 'Test connection: vpn' });

		await dialog.waitFor();
		await body(dialog, page);
	}, options);

	const stages = async (dialog) => {
		await dialog.locator('.sstp-stage').first().waitFor();
		return (await dialog.locator('.sstp-stage').evaluateAll((rows) => rows.map((r) => `${r.dataset.stage} ${r.className.match(/sstp-stage-(\w+)/)[1]}`))).join(', ');
	};

	test('a server that works', () => probed(recorded('probe-passed'), async (dialog) => {
		assert.equal(await stages(dialog), 'resolve ok, connect ok, tls ok, certificate ok, http ok, sstp ok, ppp ok, auth ok');
		assert.equal(await dialog.locator('.sstp-verdict').innerText(), 'Everything works: the server accepted the login.');

		const text = await dialog.innerText();

		assert.match(text, /TLS encryption[^]*TLS 1\.3, TLS_AES_128_GCM_SHA256\n[^]*ms/, 'how it was verified has a row of its own');
		assert.match(text, /logged in by MS-CHAPv2/);
		assert.equal(await dialog.getByRole('button', { name: /Trust/ }).count(), 0);
		assert.deepEqual(router.called('sstp.probe')[0].args, { interface: 'vpn', options: {}, anyway: false });

		await dialog.locator('summary').click();
		assert.match(await dialog.locator('.sstp-chain').innerText(), /Subject\s+CN=vpn\.example[^]*Issuer\s+CN=sstp-lab authority[^]*Names\s+vpn\.example, vpn6\.example[^]*Valid\s+.*1999 to .*2049[^]*SHA-256 fingerprint\s+([0-9A-F]{2}:){31}[0-9A-F]{2}[^]*spki-sha256:/);
	}));

	test('without a user name the login was not tried', () => probed(recorded('probe-no-login'), async (dialog) => {
		assert.match(await stages(dialog), /sstp ok, ppp open, auth open$/);
		assert.match(await dialog.locator('.sstp-verdict').innerText(), /not tried: there is no user name/);
	}));

	for (const [ name, code, want ] of [
		[ 'probe-no-name', 'PEER_RESOLVE_FAIL', 'resolve failed, connect open' ], [ 'probe-refused', 'CONNECT_FAILED', 'resolve ok, connect failed, tls open' ],
		[ 'probe-untrusted', 'CERT_UNTRUSTED', 'tls ok, certificate failed, http open' ], [ 'probe-wrong-name', 'CERT_NAME_MISMATCH', 'tls ok, certificate failed' ],
		[ 'probe-wrong-pin', 'CERT_PIN_MISMATCH', 'tls ok, certificate failed' ], [ 'probe-wrong-password', 'AUTH_FAILED', 'ppp ok, auth failed' ]
	])
		test(`${name}: the stage, the sentence, the server's words and the hint`, () => probed(recorded(name), async (dialog) => {
			assert.ok((await stages(dialog)).includes(want), await stages(dialog));

			const failed = recorded(name).servers[0].stages.find((s) => !s.ok), text = await dialog.innerText();

			assert.ok(text.includes(errors.CODES[code]) && text.includes(failed.message), text);
			for (const hint of errors.hints(code, failed.hint, true))
				assert.ok(text.includes(hint), text);
			assert.equal(await dialog.getByRole('button', { name: 'Trust this certificate…' }).count(), code.startsWith('CERT_') ? 1 : 0);
		}));

	test('a login that may cut the running tunnel is tried only when asked for', () => probed((args) => args.anyway ? recorded('probe-passed') : recorded('probe-held'), async (dialog, page) => {
		assert.match(await stages(dialog), /sstp ok, ppp open, auth open$/);
		assert.match(await dialog.locator('.sstp-verdict').innerText(), /The login was not tried, because it may cut the running tunnel vpn/);
		assert.match(await dialog.locator('[data-stage=auth]').innerText(), /tunnel vpn is logged in by MS-CHAPv2, for \d+ s already/, 'what the live call proves');
		await dialog.getByRole('button', { name: 'Test without logging in' }).click();
		await until(() => router.called('sstp.probe').length == 2);
		await dialog.getByRole('button', { name: 'Test with login: may cut the running tunnel' }).click();
		await dialog.getByText('Everything works').first().waitFor();
		assert.deepEqual(router.called('sstp.probe').map((c) => c.args.anyway), [ false, false, true ]);
		assert.equal(await dialog.getByRole('button', { name: /may cut/ }).count(), 0);
		await dialog.getByRole('button', { name: 'Test again' }).click();
		await until(() => router.called('sstp.probe').length == 4);
		assert.equal(router.called('sstp.probe')[3].args.anyway, false, 'it is asked each time');
		await assertFits(page);
	}, { width: 360, height: 640 }));

	test('several servers, each with its result', () => probed(recorded('probe-several'), async (dialog) => {
		await dialog.locator('h5').first().waitFor();
		assert.deepEqual(await dialog.locator('h5').allInnerTexts(), [ '203.0.113.1:9', 'vpn.example:443' ]);
		assert.equal(await dialog.locator('.sstp-verdict').count(), 2);
	}));

	test('options that are wrong', () => probed(recorded('probe-bad-option'), async (dialog) => {
		assert.match(await dialog.innerText(), /An option of the tunnel has a wrong value\s+Option mtu is '90', but must be a number from 576 to 1500\./);
	}));

	test('trusting an unknown certificate: shown, asked, stored, tried again', () => probed(() => router.called('sstp.trust').length ? recorded('probe-passed') : recorded('probe-untrusted'), async (dialog, page) => {
		await dialog.getByRole('button', { name: 'Trust this certificate…' }).click();

		const ask = page.getByRole('dialog', { name: 'Trust this certificate?' }), pin = recorded('probe-untrusted').servers[0].chain[0].sha256;

		assert.match(await ask.innerText(), /Subject\s+CN=vpn\.example[^]*Issuer\s+CN=sstp-lab authority[^]*Valid[^]*Compare the fingerprint/);
		assert.ok((await ask.innerText()).replaceAll(':', '').includes(pin.toUpperCase()));

		await ask.getByRole('button', { name: 'Cancel' }).click();
		assert.equal(router.called('sstp.trust').length, 0, 'nothing is stored without a yes');

		await dialog.getByRole('button', { name: 'Trust this certificate…' }).click();
		await ask.getByRole('button', { name: 'Trust this certificate' }).click();
		await dialog.getByText('Everything works').first().waitFor();
		assert.equal(await page.evaluate(() => document.activeElement.textContent), 'Close', 'the focus stays in the dialog when its button goes');
		assert.deepEqual(router.called('sstp.trust').map((c) => c.args), [ { interface: 'vpn', fingerprint: `sha256:${pin}`, replace: false } ]);
	}));

	test('a certificate that changed is a warning, and replaces the old one', () => probed(recorded('probe-wrong-pin'), async (dialog, page) => {
		await dialog.getByRole('button', { name: 'Trust this certificate…' }).click();
		assert.match(await page.getByRole('dialog', { name: 'Trust this certificate?' }).innerText(), /not the one that was trusted before/);
		await page.getByRole('button', { name: 'Trust it instead' }).click();
		await until(() => router.called('sstp.trust').length);
		assert.equal(router.called('sstp.trust')[0].args.replace, true);
	}));

	test('a server that was accepted unverified can be trusted', () => probed(recorded('probe-not-verified'), async (dialog) => {
		await dialog.getByRole('button', { name: 'Trust this certificate…' }).waitFor();
		assert.match(await dialog.innerText(), /Certificate\s*[^]*not verified/);
	}));

	test('a trust that is refused says why', () => probed(recorded('probe-untrusted'), async (dialog, page) => {
		router.answers['sstp.trust'] = { error: { code: 'INVALID_OPTIONS', stage: 'config', message: 'You may not change the options of interface vpn.', hint: 'Log in as a user who may change the network\'s configuration.' } };
		await dialog.getByRole('button', { name: 'Trust this certificate…' }).click();
		await page.getByRole('dialog', { name: 'Trust this certificate?' }).getByRole('button', { name: 'Trust this certificate' }).click();
		await dialog.getByText('You may not change the options of interface vpn.').waitFor();
		await dialog.getByText('Log in as a user who may').waitFor();
	}));

	let answer;

	test('while it runs: a sign of life, no second run, and closing it is safe', () => probed(() => new Promise((done) => { answer = () => done(recorded('probe-passed')); }), async (dialog, page) => {
		assert.match(await dialog.innerText(), /Testing the connection…/);
		assert.equal(await dialog.getByRole('button', { name: 'Test again' }).isDisabled(), true);
		await dialog.getByText(/^[1-9] s$/).waitFor();
		await page.keyboard.press('Escape');
		await dialog.waitFor({ state: 'detached' });
		await until(() => answer);
		answer();
		await page.waitForTimeout(300);
		assert.equal(await page.getByRole('dialog').count(), 0);
	}));

	for (const [ what, answer, want ] of [ [ 'no plugin', undefined, /package sstp installed/ ], [ 'no rights', Object.assign(new Error('Access denied'), { code: -32002 }), /not allowed to do this/ ], [ 'no time', 7, /in time/ ], [ 'nonsense', 'x', /./ ], [ 'nothing', {}, /no usable answer/ ] ])
		test(`a test that cannot be made (${what}) says why`, () => probed(answer, async (dialog) => {
			await dialog.getByRole('button', { name: 'Test again' }).and(dialog.locator(':enabled')).waitFor();
			assert.match(await dialog.innerText(), want);
			await dialog.getByRole('button', { name: 'Test again' }).click();
		}));

	test('the result is read out as one sentence', () => probed(recorded('probe-untrusted'), async (dialog) => {
		await dialog.locator('.sstp-stage').first().waitFor();
		assert.equal((await dialog.locator('[role=status]').textContent()).trim(), errors.CODES.CERT_UNTRUSTED);
		assert.match(await dialog.locator('.sstp-stage').nth(3).textContent(), /Certificate: failed/, 'a mark has words for those who do not see it');
	}));

	test('a hostile server and certificate stay text', () => {
		const bad = { ...recorded('probe-untrusted').servers[0].chain[0], subject: HOSTILE, issuer: HOSTILE, names: [ HOSTILE ], sha256: HOSTILE, spki_sha256: HOSTILE };

		return probed({ warnings: [ { option: HOSTILE, text: HOSTILE } ], servers: [ 1, 2 ].map(() => ({ server: HOSTILE, ok: false, stages: [ { stage: HOSTILE, ok: true, ms: 1, finding: HOSTILE }, { stage: 'tls', ok: false, ms: 1, code: 'CERT_UNTRUSTED', message: HOSTILE, hint: HOSTILE } ], chain: [ bad, bad ] })) }, async (dialog, page) => {
			await dialog.locator('summary').first().click();
			await assertUnharmed(page);
			await dialog.getByRole('button', { name: /^Trust/ }).first().click();
			assert.ok((await page.getByRole('dialog', { name: 'Trust this certificate?' }).innerText()).includes('<img'));
			await assertUnharmed(page);
		});
	});

	for (const scheme of [ 'light', 'dark' ])
		test(`fits a phone, legible in ${scheme}`, () => probed(recorded('probe-untrusted'), async (dialog, page) => {
			await dialog.locator('.sstp-stage').first().waitFor();
			await dialog.locator('summary').click();
			await assertFits(page, 'result');

			const inner = await dialog.evaluate((d) => [ ...d.querySelectorAll('.sstp-dialog-body') ].every((b) => b.scrollWidth <= b.clientWidth));

			assert.ok(inner, 'nothing of the result is cut off at the side');

			for (const [ text, ratio ] of await contrasts(page, '.sstp-dialog h4, .sstp-verdict span, .sstp-stage-name, .sstp-stage-time, .sstp-stage-text div, .sstp-dialog dd, .sstp-dialog dt'))
				assert.ok(ratio >= 4.5, `"${text}" has a contrast of ${ratio.toFixed(2)}`);

			await dialog.getByRole('button', { name: 'Trust this certificate…' }).click();
			await assertFits(page, 'trust');
		}, { width: 360, height: 640, scheme }));
});
