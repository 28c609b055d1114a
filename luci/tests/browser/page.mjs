// A browser for the tests: one Chromium, a fresh page for each test, and what no page of ours may ever do.
import assert from 'node:assert/strict';
import { after, before } from 'node:test';
import { existsSync, readFileSync } from 'node:fs';
import { require } from '../modules.mjs';
import { Router, serve } from '../standin/server.mjs';

export const recorded = (name) => JSON.parse(readFileSync(new URL(`../recorded/${name}.json`, import.meta.url), 'utf8'));

export const chromium = [ process.env.CHROMIUM, '/usr/bin/chromium', '/usr/bin/chromium-browser' ].find((p) => p && existsSync(p));

// The network service's view of one tunnel, as it was recorded, with changes.
export function iface(name, changes = {}) {
	return { ...recorded('interfaces').interface.find((i) => i.interface == 'vpn'), interface: name, ...changes };
}

// A router with tunnels: { name: status }; a status may be a number, an ubus failure.
export function routerWith(tunnels, more = {}) {
	const names = Object.keys(tunnels), interfaces = names.map((n) => iface(n, more.iface?.[n]));

	return {
		'sstp.tunnels': { version: '1.0', tunnels: names.map((n) => ({ ...recorded('tunnels').tunnels[0], interface: n, ...more.tunnel?.[n] })) },
		'network.get_proto_handlers': recorded('handlers'),
		'network.interface.dump': { interface: interfaces },
		...Object.fromEntries(names.flatMap((n) => [ [ `sstp.${n}.status`, tunnels[n] ], [ `sstp.${n}.history`, recorded('history-up') ] ])),
		...more.answers
	};
}

export function suite() {
	const router = new Router();
	let server, browser, context;

	before(async () => {
		server = await serve(router);
		browser = await require('playwright-core').chromium.launch({ executablePath: chromium, args: [ '--no-sandbox', '--disable-gpu' ] });
		context = await browser.newContext({ reducedMotion: 'reduce' });
		context.setDefaultTimeout(60000);
	});

	after(async () => {
		await browser?.close();
		server?.close();
	});

	// Runs body with a page that shows what query names; afterwards nothing must have gone wrong behind its back.
	const withPage = async (query, answers, body, { width = 1280, height = 900, scheme = 'light' } = {}) => {
		const page = await context.newPage(), trouble = [];

		await page.setViewportSize({ width, height });
		await page.emulateMedia({ colorScheme: scheme });
		router.reset(answers);
		page.on('pageerror', (e) => trouble.push(`exception: ${e.message}`));
		page.on('console', (m) => [ 'error', 'warning' ].includes(m.type()) && !router.dead && !/Failed to load resource/.test(m.text()) ? trouble.push(`console: ${m.text()}`) : null);
		page.on('request', (r) => r.url().startsWith(server.url) || r.url().startsWith('data:') ? null : trouble.push(`left the router: ${r.url()}`));
		page.on('dialog', (d) => (trouble.push(`a dialog of the browser: ${d.message()}`), d.dismiss()));

		try {
			await page.goto(`${server.url}/?${new URLSearchParams(query)}`);
			await page.waitForSelector('body[data-ready]', { state: 'attached' });
			await body(page);
			assert.deepEqual(trouble, []);
		}
		finally {
			await page.close();
		}
	};

	return { router, withPage };
}

// Lets the page poll once more: its next round is at most three ticks away.
export async function nextPoll(page) {
	await page.evaluate(async () => {
		for (let n = 0; n < 3; n++) {
			standin.poll.step();
			await new Promise((done) => setTimeout(done, 0));
		}
	});
	await page.waitForFunction(() => standin.poll.queue.every((e) => e.free));
}

// Waits for something that happens on the router's side.
export async function until(happened) {
	for (let n = 0; !happened(); n++) {
		assert.ok(n < 500, `did not happen: ${happened}`);
		await new Promise((done) => setTimeout(done, 10));
	}
}

// No part of the page may be wider than the window.
export async function assertFits(page, what = '') {
	const { wide, inner } = await page.evaluate(() => ({ wide: document.documentElement.scrollWidth, inner: document.documentElement.clientWidth }));

	assert.ok(wide <= inner, `${what}: ${wide} px of content in ${inner} px`);
}

// Texts that would do harm as markup.
export const HOSTILE = '<img src=x onerror="window.pwned=1"><script>window.pwned=1</script>\'"&amp;%s%d\u202e';

export async function assertUnharmed(page) {
	assert.equal(await page.evaluate(() => window.pwned), undefined);
	assert.equal(await page.locator('main img, dialog img, main script, dialog script').count(), 0);
}

// Contrast of a text with what lies behind it (WCAG 2, 1.4.3), for each element that matches.
export async function contrasts(page, selector) {
	return page.evaluate((selector) => {
		const parse = (text) => {
			const n = text.match(/[\d.]+(?:e-?\d+)?/g).map(Number), scale = text.startsWith('color(') ? 255 : 1;

			return [ n[0] * scale, n[1] * scale, n[2] * scale, n[3] ?? 1 ];
		};
		const over = (top, below) => [ 0, 1, 2 ].map((i) => top[i] * top[3] + below[i] * (1 - top[3])).concat(1);
		const behind = (node) => node ? over(parse(getComputedStyle(node).backgroundColor), behind(node.parentElement)) : [ 255, 255, 255, 1 ];
		const light = (c) => c.slice(0, 3).map((v) => (v /= 255) <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4).reduce((s, v, i) => s + v * [ 0.2126, 0.7152, 0.0722 ][i], 0);

		return [ ...document.querySelectorAll(selector) ].filter((n) => n.checkVisibility() && n.textContent.trim()).map((node) => {
			const back = behind(node), a = light(over(parse(getComputedStyle(node).color), back)), b = light(back);

			return [ node.textContent.trim().slice(0, 40), (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05) ];
		});
	}, selector);
}
