import { describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { assertFits, chromium, suite } from './page.mjs';

const vectors = Object.fromEntries([ 'on', 'off', 'refused', 'status' ].map((name) => [ name, JSON.parse(readFileSync(new URL(`../../../src/killswitch/testdata/${name}.json`, import.meta.url), 'utf8')) ]));

describe('kill switch in the form', { skip: chromium ? false : 'there is no Chromium on this machine' }, () => {
	const { withPage } = suite();

	// The form of a vector's tunnel, with the rest of its configuration behind it.
	const form = ({ before }, tunnel, body, options, more) => withPage({ form: tunnel, network: JSON.stringify(before.network), firewall: JSON.stringify(before.firewall), ...more }, {}, body, options);
	const vector = (file, name) => vectors[file].find((v) => v.name == name);
	const field = (page, name) => page.locator(`[data-name="_sstp_ks${name}"]`);
	const turn = (page, on) => field(page, '').getByRole('checkbox').setChecked(on);
	const alert = async (page, name) => (await field(page, name).locator('.sstp-field-error').allInnerTexts()).join();
	const router = (page) => page.evaluate(() => standin.uci.router);

	const save = async (page) => {
		await page.locator('#save').click();
		await page.locator('#saved:not(:empty)').waitFor();
		return page.locator('#saved').innerText();
	};

	// Puts a request into the form.
	async function ask(page, { zones, except, names, router }) {
		await turn(page, true);

		for (const box of await field(page, '_zones').getByRole('checkbox').all())
			if (zones.length)
				await box.setChecked(zones.includes(await box.getAttribute('value')));

		while (await field(page, '_except').getByRole('button').count())
			await field(page, '_except').getByRole('button').first().click();

		for (const device of except.filter((d) => d.trim())) {
			await field(page, '_except').getByRole('textbox').fill(device);
			await field(page, '_except').getByRole('textbox').dispatchEvent('change');
		}

		await field(page, '_names').getByRole('checkbox').setChecked(names);
		await field(page, '_router').getByRole('checkbox').setChecked(router);
	}

	for (const name of [ 'The router as it comes: everything of the LAN goes through the tunnel', 'The router itself, too', 'Devices may be excepted by address, subnet and MAC', 'Two networks and two uplinks',
		'Another request changes the switch to it', 'What was changed is mended', 'A value that the user set since is the one to restore', 'There are no rules yet' ])
		test(`on: ${name}`, () => {
			const v = vector('on', name);

			return form(v, v.on.tunnel, async (page) => {
				await ask(page, v.on);
				assert.doesNotMatch(await save(page), /^refused/);
				assert.deepEqual(await router(page), v.after);
			});
		});

	for (const name of [ 'Everything goes, and everything else stays', 'The values that were there come back', 'A section that the user changed goes, one that the user added stays', 'The record was removed: the sections go', 'It is not on' ])
		test(`off: ${name}`, () => {
			const v = vector('off', name);

			return form(v, v.off, async (page) => {
				await turn(page, false);
				assert.doesNotMatch(await save(page), /^refused/);
				assert.deepEqual(await router(page), v.after);
			});
		});

	for (const [ name, where ] of [ [ 'There is no firewall', '' ], [ 'The tunnel is in the uplink\'s zone', '' ], [ 'No zone leads to the internet', '' ], [ 'The tunnel is in the LAN\'s zone', '_zones' ], [ 'Another tunnel has the zone', '_zones' ], [ 'No exception: 192.168.1.300', '_except' ] ])
		test(`refused: ${name}`, () => {
			const v = vector('refused', name);

			return form(v, v.on.tunnel, async (page) => {
				await ask(page, { ...v.on, zones: v.on.zones });

				/* the list takes no item that is wrong: the sentence stands below what is typed */
				if (where == '_except') {
					assert.match(await field(page, where).innerText(), new RegExp(v.error.text.replace(/[.()]/g, '\\$&')));
					return;
				}

				assert.match(await save(page), /^refused/);
				assert.ok((await alert(page, where)).includes(v.error.text), `${await alert(page, where)} is not: ${v.error.text}`);
				assert.deepEqual(await router(page), v.before, 'nothing half done');
			});
		});

	test('a tunnel in the uplink\'s zone: one click takes it out, and the sentence goes with its cause', () => {
		const v = vector('refused', 'The tunnel is in the uplink\'s zone'), leave = (page) => page.getByRole('button', { name: 'Take the tunnel out of zone wan' });

		return form(v, 'vpn', async (page) => {
			await turn(page, true);
			assert.match(await alert(page, ''), /take vpn out of zone wan first/);
			await turn(page, false);
			assert.equal(await alert(page, ''), '');
			assert.equal(await leave(page).isVisible(), false);
			await turn(page, true);
			await leave(page).click();
			assert.equal(await alert(page, ''), '');
			assert.equal(await leave(page).isVisible(), false);
			assert.doesNotMatch(await save(page), /^refused/);

			const zones = (await router(page)).firewall.filter((f) => f['.type'] == 'zone');

			assert.deepEqual(zones.map((z) => [ z.name, z.network ]), [ [ 'lan', [ 'lan' ] ], [ 'wan', [ 'wan', 'wan6' ] ], [ 'vpn', [ 'vpn' ] ] ]);
		}, {}, { zone: 'wan' });
	});

	test('the LAN is chosen to begin with, names are kept in, and the rest shows only when it is on', () => form(vector('on', 'Two networks and two uplinks'), 'vpn', async (page) => {
		assert.equal(await field(page, '_zones').isVisible(), false);
		await turn(page, true);
		assert.deepEqual(await field(page, '_zones').getByRole('checkbox').evaluateAll((boxes) => boxes.map((b) => [ b.value, b.checked ])), [ [ 'lan', true ], [ 'guest', false ] ], 'no uplink may be chosen');
		assert.equal(await field(page, '_names').getByRole('checkbox').isChecked(), true);
		assert.equal(await field(page, '_router').getByRole('checkbox').isChecked(), false);
		assert.equal(await page.evaluate(() => standin.section.children.find((o) => o.option == '_sstp_ks_except').choices[0].join()), 'aa:bb:cc:00:11:22,console (aa:bb:cc:00:11:22)');
	}));

	test('a switch that is on shows its request; saving the form as it is changes nothing', () => {
		const v = vector('on', 'Devices may be excepted by address, subnet and MAC');

		return form({ before: v.after }, 'vpn', async (page) => {
			assert.equal(await field(page, '').getByRole('checkbox').isChecked(), true);
			assert.match(await field(page, '_state').innerText(), /on and complete/);
			assert.equal(await field(page, '_except').getByRole('listitem').count(), 4);
			await save(page);
			assert.deepEqual(await router(page), v.after);
		});
	});

	test('what somebody took out of it is named, and mended by saving', () => form(vector('status', 'A section was removed'), 'vpn', async (page) => {
		assert.match(await field(page, '_state').innerText(), /not as it should be[^]*The section sstp_vpn_\w+ of the configuration is missing/);
		await save(page);
		assert.match(JSON.stringify((await router(page)).firewall), /sstp_vpn_reject_1/);
	}));

	test('without the right to read the firewall it cannot be turned on, and the form works', () => withPage({ form: 'vpn', values: JSON.stringify({ proto: 'sstp', server: [ 'a' ] }) }, {}, async (page) => {
		assert.doesNotMatch(await save(page), /^refused/);
		await turn(page, true);
		assert.match(await alert(page, ''), /The firewall has no zones/);
	}));

	test('an interface that is removed takes its switch along', () => {
		const v = vector('off', 'Everything goes, and everything else stays');

		return form(v, 'vpn', async (page) => {
			await page.evaluate(async () => {
				await Object.assign(Object.create(await standin.load('protocol.sstp')), { sid: 'vpn' }).deleteConfiguration();
				await standin.uci.save();
			});
			assert.deepEqual(await router(page), v.after);
		});
	});

	test('it fits a phone', () => form(vector('status', 'A section was removed'), 'vpn', async (page) => {
		await assertFits(page);
	}, { width: 360, height: 640 }));
});
