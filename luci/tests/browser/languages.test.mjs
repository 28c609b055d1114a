import { describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { assertFits, chromium, recorded, routerWith, suite } from './page.mjs';
import { parsePo } from '../po.mjs';

describe('in other languages', { skip: chromium ? false : 'there is no Chromium on this machine' }, () => {
	const { withPage } = suite();

	for (const language of [ 'de', 'es', 'ru', 'zh_Hans' ]) {
		const { table } = parsePo(readFileSync(new URL(`../../po/${language}/sstp.po`, import.meta.url), 'utf8'));

		test(`${language}: the status page and the dialogs are translated and fit a phone`, () => withPage({ view: 'sstp.status', language }, routerWith({
			vpn: { ...recorded('status-up'), tls: { ...recorded('status-up').tls, not_after: Math.floor(Date.now() / 1000) + 86400 * 3 + 60 } }, bad: { ...recorded('status-wrong-password'), next_retry_ms: 60000 }
		}, { answers: { 'sstp.probe': recorded('probe-untrusted') } }), async (page) => {
			await page.locator('.sstp-card[data-state="up"]').waitFor();
			await assertFits(page, language);

			const text = await page.locator('main').innerText();

			for (const id of [ 'SSTP tunnels', 'Connected', 'Download', 'Security', 'Certificate', 'The server refused the user name or password', 'Check user name and password.', 'signed by a trusted authority, and the name matches' ])
				assert.ok(text.includes(table[id]), `${id} is not translated:\n${text}`);

			assert.ok(text.includes(table['The server\'s certificate expires in one day.'].at(language == 'ru' ? 1 : -1).replace('%s', '3')), text);
			assert.doesNotMatch(text, /\b(Connected|Address|days left|Check)\b/);

			await page.locator('.sstp-card').first().getByRole('button', { name: table['Test connection'] }).click();
			await page.locator('dialog .sstp-stage').first().waitFor();
			await assertFits(page, `${language}, result`);
			await page.getByRole('button', { name: table['Trust this certificate\u2026'] }).click();
			await page.getByRole('heading', { name: table['Trust this certificate?'] }).waitFor();
			await assertFits(page, `${language}, trust`);
			assert.doesNotMatch(await page.locator('dialog').last().innerText(), /Compare the|Cancel$/m);
		}, { width: 360, height: 700 }));

		test(`${language}: no text of the form stays behind`, () => withPage({ form: 'vpn', values: JSON.stringify({ sstp_options: 'x' }), language }, {}, async (page) => {
			const texts = await page.evaluate(() => [ ...document.querySelectorAll('[data-tab^="sstp_"] .cbi-value-title, [data-tab] .cbi-value-description, option, button')].map((n) => n.textContent.trim()));
			const same = texts.filter((t) => t && table[t] !== undefined && table[t] !== t);

			assert.ok(texts.length > 60);
			assert.deepEqual(same, [], 'these have a translation that was not used');
		}));
	}
});
