// The web interface on a real router: LuCI, rpcd, netifd and the daemon, between a real browser and a real server. One story,
// as a person would live it; each step says what it does, and the first that fails ends it.
import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { require } from './modules.mjs';
import { chromium } from './browser/page.mjs';
import { load } from './load.mjs';
import { control, names, shell } from './control.mjs';
import { isOurs } from './faults.mjs';
import { goPackage } from './golang.mjs';

const errors = load('sstp.errors'), url = process.env.SSTP_LUCI_URL.replace(/\/$/, ''), shots = process.env.SHOTS;

const browser = await require('playwright-core').chromium.launch({ executablePath: chromium, args: [ '--no-sandbox', '--disable-gpu' ] });
const context = await browser.newContext({ viewport: { width: 1280, height: 900 } });
const page = await context.newPage(), trouble = [], theirs = new Set();
let loggedIn = false;

page.setDefaultTimeout(20000);
page.on('pageerror', (e) => isOurs(e, loggedIn) ? trouble.push(`exception: ${e.message}`) : theirs.add(e.message));
page.on('request', (r) => r.url().startsWith(url) || r.url().startsWith('data:') ? null : trouble.push(`left the router: ${r.url()}`));

async function step(what, act) {
	const begun = Date.now();

	try {
		await act();
		assert.deepEqual(trouble, []);
		console.log(`ok      ${what} (${((Date.now() - begun) / 1000).toFixed(1)} s)`);
	}
	catch (e) {
		console.log(`FAILED  ${what}\n${e.message}`);
		if (shots)
			await page.screenshot({ path: `${shots}/failed.png` });
		await browser.close();
		process.exit(1);
	}
}

// Pictures of what is on the page now: wide and phone, light and dark.
async function shoot(name, { full = true, prepare = async () => {} } = {}) {
	if (!shots)
		return;

	mkdirSync(shots, { recursive: true });

	for (const scheme of [ 'light', 'dark' ])
		for (const [ size, width, height ] of [ [ 'phone', 360, 780 ], [ 'wide', 1600, 1000 ] ]) {
			await page.setViewportSize({ width, height });
			await page.emulateMedia({ colorScheme: scheme });
			await prepare();
			await page.waitForTimeout(250);
			await page.screenshot({ path: `${shots}/${name}-${scheme}-${size}.png`, fullPage: full });
		}

	await page.emulateMedia({ colorScheme: 'light' });
	await page.setViewportSize({ width: 1280, height: 900 });
}

const go = (path) => page.goto(`${url}/cgi-bin/luci/${path}`);
const card = page.locator('.sstp-card[data-interface="vpn"]');
const inState = (...states) => Promise.race(states.map((s) => card.and(page.locator(`[data-state="${s}"]`)).waitFor({ timeout: 40000 })));
const dialog = (name) => page.getByRole('dialog', { name });
const option = (name) => page.locator(`.modal [data-name="${name}"]`);
const tab = (name) => page.locator(`.modal .cbi-tabmenu li[data-tab="${name}"] a`).click();
const applied = () => page.locator('.alert-message, .modal').getByText(/Configuration has been applied|Configuration changes applied/).waitFor({ timeout: 60000 }).then(() => page.locator('.modal, #modal_overlay').getByText('applied').waitFor({ state: 'hidden' }).catch(() => {}));

async function login(user, password) {
	loggedIn = false;
	await go('');
	await page.locator('input[name=luci_username]').fill(user);
	await page.locator('input[name=luci_password]').fill(password);
	await page.getByRole('button', { name: 'Log in' }).click();
	await page.locator('#topmenu li').first().waitFor({ state: 'attached' });
	loggedIn = true;
}

await step('log in', () => login(process.env.SSTP_LUCI_USER, process.env.SSTP_LUCI_PASSWORD));

await step('without a tunnel the status page leads to making one', async () => {
	await go('admin/status/sstp');
	await page.getByText('No SSTP tunnel is configured yet.').waitFor();
	await shoot('empty');
	await page.getByRole('link', { name: 'Add a tunnel…' }).click();
	await page.getByRole('button', { name: 'Add new interface...' }).waitFor();
});

await step('Add new interface, protocol SSTP', async () => {
	await page.getByRole('button', { name: 'Add new interface...' }).click();
	await page.locator('.modal [data-name="name"] input').fill('vpn');
	await page.locator('.modal [data-name="proto"] select').selectOption('sstp');
	await page.getByRole('button', { name: 'Create interface' }).click();
	await option('server').waitFor();
});

await step('import an export of RouterOS into the form', async () => {
	await page.getByRole('button', { name: 'Import settings…' }).click();
	await page.keyboard.press('Escape');
	await dialog('Import settings').waitFor({ state: 'detached' });
	assert.equal(await option('server').isVisible(), true, 'Escape closes our dialog, not the form below it');
	await page.getByRole('button', { name: 'Import settings…' }).click();
	await dialog('Import settings').getByRole('textbox').fill(`/interface sstp-client\nadd add-default-route=no authentication=mschap2 connect-to=${names.server} disabled=no \\\n    keepalive-timeout=30 name=sstp-out1 profile=office user="${names.username}"`);
	await dialog('Import settings').getByText(names.server, { exact: true }).last().waitFor();
	await shoot('import', { full: false });
	await dialog('Import settings').getByRole('button', { name: 'Fill in the form' }).click();
	assert.equal(await option('username').locator('input').inputValue(), names.username);
	assert.equal(await option('server').locator('.item').innerText(), names.server);
});

await step('the form says what is wrong', async () => {
	await option('port').locator('input').fill('99999');
	await option('port').locator('input').blur();
	await page.locator('[data-tooltip="Enter a number from 1 to 65535."]').waitFor();
	await option('port').locator('input').fill('');
	await option('port').locator('input').blur();
	await tab('sstp_security');
	await option('verify').locator('select').selectOption('pin');
	await option('_sstp_verify_pin').waitFor();
	await page.locator('.modal').getByRole('button', { name: 'Save' }).click();
	await page.locator('[data-tooltip^="Add the fingerprint of the server\'s certificate"]').waitFor();
	await option('verify').locator('select').selectOption('full');
	await tab('sstp_auth');
	await option('auth').locator('.cbi-dropdown').click();
	await option('auth').locator('li[data-value="eap-tls"]').first().click();
	await page.locator('.modal').getByRole('button', { name: 'Save' }).click();
	await option('auth').getByText('EAP-TLS needs a client certificate').waitFor();
	await option('auth').locator('.item', { hasText: 'EAP-TLS' }).press('Delete');
	await option('auth').getByText('EAP-TLS needs a client certificate').waitFor({ state: 'hidden' });
});

await step('test the connection from the form: the certificate is not trusted', async () => {
	await tab('general');
	await option('password').locator('input[type=password]').fill(names.password);
	await shoot('form', { full: false });
	await tab('sstp_security');
	await shoot('form-security', { full: false });
	await tab('general');
	await page.locator('.modal').getByRole('button', { name: 'Test connection' }).click();
	await dialog('Test connection: vpn').getByText(errors.CODES.CERT_UNTRUSTED).first().waitFor();
	await shoot('test-failed', { full: false });
});

await step('trust it: the fingerprint is shown, asked, entered, and the test passes', async () => {
	await dialog('Test connection: vpn').getByRole('button', { name: 'Trust this certificate…' }).click();
	assert.ok((await dialog('Trust this certificate?').innerText()).replaceAll(':', '').toLowerCase().includes(names.fingerprint.slice(7)));
	await shoot('trust', { full: false });
	await dialog('Trust this certificate?').getByRole('button', { name: 'Trust this certificate' }).click();
	await dialog('Test connection: vpn').getByText('Everything works').first().waitFor();
	await shoot('test-passed', { full: false });
	await dialog('Test connection: vpn').getByRole('button', { name: 'Close' }).click();
	await tab('sstp_security');
	assert.equal(await option('cert_pin').locator('.item').innerText(), names.fingerprint);
});

await step('save and apply: nothing is stored but what was entered', async () => {
	await tab('advanced');
	await option('hold').locator('.cbi-dropdown').click();
	await option('hold').locator('ul.dropdown .create-item-input').fill('3');
	await option('hold').locator('ul.dropdown .create-item-input').press('Enter');
	await page.locator('.modal').getByRole('button', { name: 'Save' }).click();
	await page.locator('.modal').getByRole('button', { name: 'Save' }).waitFor({ state: 'hidden' });
	await page.locator('.cbi-page-actions .cbi-button-apply').click();
	await applied();

	const daemons = [ ...goPackage('config').matchAll(/\{Option\{Name: "(\w+)"/g) ].map(([ , name ]) => name),
	      stored = (await shell('uci show network.vpn')).match(/(?<=^network\.vpn\.)\w+/gm).filter((o) => daemons.includes(o)).sort();

	assert.deepEqual(stored, [ 'auth', 'cert_pin', 'hold', 'keepalive', 'password', 'server', 'username' ]);
	assert.equal((await shell('uci get network.vpn.defaultroute')).trim(), '0');
});

await step('the status page shows it coming up', async () => {
	await go('admin/status/sstp');
	await inState('up');

	const text = await card.innerText();

	for (const want of [ 'Connected', names.server, 'TLS 1.3', 'matches the trusted fingerprint', 'MS-CHAPv2', 'sstp-vpn', names.inside ])
		assert.ok(text.includes(want), `"${want}" is not on the card:\n${text}`);
});

await step('traffic shows in graph and totals', async () => {
	/* a download of so many times 64 KiB each second, by the transfer service behind the tunnel, and pings the other way */
	await shell(`n=0; while [ $n -lt ${10 + +(process.env.SHOT_SECONDS ?? 0)} ]; do n=$((n + 1))
u=$((12 + n % 17 + n * 7 % 11 + n / 40 % 3 * 9)); (printf "D\\000\\000\\000\\000\\000\\$(printf %03o $u)\\000\\000"; sleep 1) | nc ${names.inside} 5000 >/dev/null
ping -q -A -c $((40 + n * 13 % 90)) -s 1300 ${names.inside}; done >/dev/null 2>&1 &`);
	await page.waitForFunction(() => /L.*L.*L/.test(document.querySelector('.sstp-line.sstp-series-rx')?.getAttribute('d') ?? ''), null, { timeout: 30000 });
	if (shots)
		await page.waitForTimeout(+(process.env.SHOT_SECONDS ?? 0) * 1000);
	await card.locator('.sstp-events summary').click();
	await card.locator('.sstp-events li').first().waitFor();
	await card.locator('.sstp-events summary').click();
	await shoot('status-up');
});

await step('the overview knows it', async () => {
	await go('admin/status/overview');

	const text = await page.evaluate(async () => {
		const include = await L.require('view.status.include.35_sstp'), node = include.render(await include.load());

		document.querySelector('#maincontent').append(node);
		return node.innerText;
	});

	assert.match(text, /vpn\s+Connected[^]*for [^]*Download: [^]*Upload: /);
	await go('admin/status/sstp');
	await inState('up');
});

await step('test the connection of the running tunnel', async () => {
	await card.getByRole('button', { name: 'Test connection' }).click();
	await dialog('Test connection: vpn').getByText('The login was not tried').first().waitFor();
	await dialog('Test connection: vpn').getByRole('button', { name: 'Test with login: may cut the running tunnel' }).click();
	await dialog('Test connection: vpn').getByText('Everything works').first().waitFor();
	await page.keyboard.press('Escape');
	await inState('up');
});

await step('reconnect', async () => {
	await card.getByRole('button', { name: 'Reconnect' }).click();
	await inState('up');
	await card.getByText(/^(for )?[0-9] s$|for [0-9]+ s/).first().waitFor();
	await card.locator('dt', { hasText: 'Reconnections' }).waitFor();
});

await step('break the server: held, then given up, and the reason in words on both pages', async () => {
	await control('POST', '/server/kill');
	await inState('holding', 'waiting');
	await inState('waiting');
	await card.locator('.sstp-fault').getByText(errors.CODES.CONNECT_FAILED).waitFor();
	await shoot('status-failing');
	await go('admin/network/network');
	await page.locator('[data-sid="vpn"]').getByText(/Connection attempt failed|The server refused the connection/).waitFor();
	assert.equal(await page.getByText('Unknown error').count(), 0);
});

await step('the server is back, and so is the tunnel', async () => {
	await control('POST', '/server/start', '');
	await go('admin/status/sstp');
	await inState('up');
});

await step('a fingerprint that went missing: trust from the status page stores it, and the tunnel comes up', async () => {
	await shell('uci delete network.vpn.cert_pin; uci commit network; ubus call network reload');
	await card.locator('.sstp-fault').getByText(errors.CODES.CERT_UNTRUSTED).waitFor({ timeout: 40000 });
	await shoot('status-untrusted');
	await card.getByRole('button', { name: 'Test connection' }).click();
	await dialog('Test connection: vpn').getByRole('button', { name: 'Trust this certificate…' }).click();
	await dialog('Trust this certificate?').getByRole('button', { name: 'Trust this certificate' }).click();
	await dialog('Test connection: vpn').getByText(/Everything works|The login was not tried/).first().waitFor();
	await page.keyboard.press('Escape');
	assert.match(await shell('uci get network.vpn.cert_pin'), new RegExp(names.fingerprint));
	await inState('up');
});

/* the sections in their order, each with its options; LuCI writes an option that it changes behind the others */
const way = (name) => card.locator('.sstp-way', { hasText: new RegExp(`^${name}`) });

await step('where traffic goes is looked up: as set, then through the tunnel, then beside it', async () => {
	await way('Internet').getByText('because the setting "Use default gateway" is off').waitFor({ timeout: 70000 });
	await shell('uci delete network.vpn.defaultroute; uci commit network; ubus call network reload');
	await way('Internet').getByText('through this tunnel').waitFor({ timeout: 70000 });
	await shell('set -- $(ip route show default dev eth1); for half in 0.0.0.0/1 128.0.0.0/1; do ip route add $half via $3 dev eth1; done');
	await card.locator('.sstp-state').getByText('Connected, but traffic does not use the tunnel').waitFor({ timeout: 70000 });
	await way('Internet').getByText(/by wan, although the tunnel is up: a route to (0|128)\.0\.0\.0\/1 with metric 0 by eth1 goes before/).waitFor();
	await shoot('status-elsewhere');
	await shell('for half in 0.0.0.0/1 128.0.0.0/1; do ip route del $half dev eth1; done');
	await way('Internet').getByText('through this tunnel').waitFor({ timeout: 70000 });
	await shoot('status-reach');
});

const sections = () => shell('uci export network; uci export firewall').then((text) => text.split('\n\n').map((s) => s.split('\n').sort().join('\n')).join('\n\n'));
const killswitch = () => shell('sstp killswitch vpn status --json').then(JSON.parse, (e) => JSON.parse(e.message));
let before;

const edit = async () => {
	await go('admin/network/network');
	await page.locator('[data-sid="vpn"]').getByRole('button', { name: 'Edit' }).click();
	await tab('sstp_killswitch');
};
const save = async () => {
	await page.locator('.modal').getByRole('button', { name: 'Save' }).click();
	await page.locator('.modal').getByRole('button', { name: 'Save' }).waitFor({ state: 'hidden' });
};
const apply = async () => {
	await page.locator('.cbi-page-actions .cbi-button-apply').click();
	await applied();
};

await step('the kill switch: one switch, saved with everything else, and loaded by the firewall', async () => {
	before = await sections();
	await edit();
	await option('_sstp_ks').getByRole('checkbox').check();
	await option('_sstp_ks').getByText('The tunnel vpn is in zone wan').waitFor();
	await shoot('killswitch-refused', { full: false });
	await page.getByRole('button', { name: 'Take the tunnel out of zone wan' }).click();
	await option('_sstp_ks').getByText('The tunnel vpn is in zone wan').waitFor({ state: 'hidden' });
	await shoot('killswitch', { full: false });
	await save();
	assert.equal(await sections(), before, 'it waits for Save & Apply');
	await apply();
	await page.waitForTimeout(3000);

	const status = await killswitch();

	assert.deepEqual([ status.on, status.complete, status.zones, status.problems ], [ true, true, [ 'lan' ], [] ]);
});

await step('an exception stands before what refuses, and changing the request leaves nothing over', async () => {
	await edit();
	await option('_sstp_ks_state').getByText('on and complete').waitFor();
	await option('_sstp_ks_except').locator('.cbi-dropdown').click();
	await option('_sstp_ks_except').locator('ul.dropdown .create-item-input').fill('192.168.1.7');
	await option('_sstp_ks_except').locator('ul.dropdown .create-item-input').press('Enter');
	await option('_sstp_ks_except').locator('.item', { hasText: '192.168.1.7' }).waitFor();
	await option('_sstp_ks_names').getByRole('checkbox').uncheck();
	await save();
	await apply();
	await page.waitForTimeout(3000);

	const status = await killswitch();

	assert.deepEqual([ status.complete, status.except, status.names, status.problems ], [ true, [ '192.168.1.7' ], false, [] ]);
	await go('admin/status/sstp');
	await card.locator('.sstp-way', { hasText: 'Kill switch' }).getByText('on for lan, one exception').waitFor({ timeout: 40000 });
	await shoot('status-killswitch');
});

await step('what is saved and not applied is reverted; switched off, no trace is left', async () => {
	const on = await sections();

	await edit();
	await option('_sstp_ks').getByRole('checkbox').uncheck();
	await save();
	await page.evaluate(async () => (await L.require('ui')).changes.revert());
	await page.waitForTimeout(3000);
	assert.equal(await sections(), on);
	await edit();
	await option('_sstp_ks').getByRole('checkbox').uncheck();
	await save();
	await apply();
	await page.waitForTimeout(3000);
	assert.equal(await sections(), before.replace("\tlist network 'vpn'\n", ''));
	await go('admin/status/sstp');
	await inState('up');
});

await step('a wrong password is named on both pages', async () => {
	await shell("uci set network.vpn.password=wrong; uci commit network; ubus call network reload");
	await card.locator('.sstp-fault').getByText(errors.CODES.AUTH_FAILED).waitFor({ timeout: 40000 });
	await go('admin/network/network');
	await page.locator('[data-sid="vpn"]').getByText(errors.CODES.AUTH_FAILED).waitFor({ timeout: 40000 });
	await go('admin/status/sstp');
});

await step('disconnect asks first; connect brings it back', async () => {
	await inState('waiting');
	await card.getByRole('button', { name: 'Disconnect' }).click();
	await dialog('Disconnect vpn?').getByRole('button', { name: 'Disconnect' }).click();
	await inState('stopped');
	await card.getByRole('button', { name: 'Connect', exact: true }).click();
	await inState('resolving', 'connecting', 'auth', 'waiting');
});

await step('a login that may only read sees the state, no button that changes it, and no password', async () => {
	await shell(`uci set rpcd.viewer=login; uci set rpcd.viewer.username=viewer; uci set rpcd.viewer.password="$(uhttpd -m see)"
for g in luci-base luci-app-sstp; do uci add_list rpcd.viewer.read=$g; done; uci commit rpcd; grep -q viewer /etc/passwd || echo 'viewer:x:1000:1000::/:/bin/false' >> /etc/passwd`);
	await context.clearCookies();
	await login('viewer', 'see');
	await go('admin/status/sstp');
	await card.locator('.sstp-state').waitFor();
	assert.equal(await card.getByRole('button').or(card.getByRole('link')).count(), 0);

	const answer = await page.evaluate(async () => {
		const rpc = await L.require('rpc'), call = (object, method, params = {}) => rpc.declare({ object, method, params: Object.keys(params) })(...Object.values(params)).then((r) => r, (e) => e.message);

		return Promise.all([ call('sstp.vpn', 'reconnect'), call('sstp', 'probe', { interface: 'vpn' }), call('sstp', 'trust', { interface: 'vpn', fingerprint: 'x' }), call('uci', 'get', { config: 'network', section: 'vpn' }), call('network.interface', 'down', { interface: 'vpn' }) ]);
	});

	/* LuCI takes a refusal for the end of the session, and says so by an exception */
	trouble.length = 0;

	for (const a of answer)
		assert.match(JSON.stringify(a), /denied|expired|^6$/i, `what a viewer may do: ${JSON.stringify(answer)}`);
});

await browser.close();
for (const message of theirs)
	console.log(`note: LuCI's own login page throws: ${message}`);
console.log('the web interface on a real router: all steps passed');
