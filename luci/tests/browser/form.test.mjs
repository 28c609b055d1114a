import { describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { goPackage } from '../golang.mjs';
import { HOSTILE, assertFits, assertUnharmed, chromium, recorded, suite } from './page.mjs';

describe('protocol form', { skip: chromium ? false : 'there is no Chromium on this machine' }, () => {
	const { router, withPage } = suite();
	const form = (values, body, options, answers = {}) => withPage({ form: 'vpn', values: JSON.stringify(values) }, answers, body, options);
	const field = (page, name) => page.locator(`[data-name="${name}"]`);
	const input = (page, name) => field(page, name).locator('input, select, textarea').first();
	const error = (page, name) => field(page, name).locator('.sstp-test-error').innerText();

	const saved = async (page) => {
		await page.locator('#save').click();
		await page.locator('#saved:not(:empty)').waitFor();

		const text = await page.locator('#saved').innerText();

		return text.startsWith('refused') ? text : JSON.parse(text);
	};
	const enter = async (page, name, value) => {
		await input(page, name).fill(value);
		await input(page, name).dispatchEvent('change');
	};

	test('a server is all that is needed, and nothing else is written', () => form({ proto: 'sstp' }, async (page) => {
		await enter(page, 'server', 'vpn.example.org');
		assert.deepEqual(await saved(page), { proto: 'sstp', server: [ 'vpn.example.org' ] });
	}));

	test('without a server it is not saved', () => form({}, async (page) => {
		assert.match(await saved(page), /Enter the server to connect to/);
	}));

	test('every option of the daemon has its field, and no other is written', () => form({ sstp_options: 'x', pppd_options: 'y' }, async (page) => {
		const options = [ ...goPackage('config').matchAll(/\{Option\{Name: "(\w+)"/g) ].map(([ , name ]) => name),
		      ours = await page.evaluate(() => standin.section.children.map((o) => o.option).filter((o) => o[0] != '_')),
		      netifd = [ 'defaultroute', 'peerdns', 'dns', 'metric' ];

		assert.ok(options.length > 25);
		assert.deepEqual(ours.filter((o) => !netifd.includes(o)).sort(), options.sort());
	}));

	test('the codes of the daemon are registered for the Interfaces page', () => form({}, async (page) => {
		const codes = [ ...goPackage('fault').matchAll(/\s+Code = "(\w+)"/g) ].map(([ , code ]) => code);

		assert.deepEqual(Object.keys(await page.evaluate(() => standin.network.errors)).sort(), codes.sort());
	}));

	test('an existing configuration is saved as it was', () => {
		const values = {
			proto: 'sstp', server: [ 'a.example', 'b.example:444' ], port: '4443', username: 'CORP\\user', password: 'p', auth: [ 'eap-tls', 'mschapv2' ], authfail: '1', maxfail: '5',
			verify: 'pin', cert_pin: [ `sha256:${'ab'.repeat(32)}` ], server_name: 'c.example', sni: '-', cert: '/etc/luci-uploads/c.pem', key: '/etc/luci-uploads/k.pem', tls_min: '1.0', tls_legacy: '1',
			path_secret: 's', proxy: 'http://u:p@proxy:3128', tunlink: 'wan2', mtu: '1300', ipv6: '0', keepalive: '5 20', hold: '60', ktls: '0', offload: '0', congestion: 'bbr', log_level: '3',
			sstp_options: '--cert-warn', pppd_options: 'debug'
		};

		return form(values, async (page) => assert.deepEqual(await saved(page), values));
	});

	test('a plain server of an older configuration stays plain until it is changed', async () => {
		await form({ server: 'old.example', auth: 'mschapv2' }, async (page) => {
			assert.deepEqual(await saved(page), { server: 'old.example', auth: 'mschapv2' });
			await enter(page, 'server', 'second.example');
			assert.deepEqual(await saved(page), { server: [ 'old.example', 'second.example' ], auth: 'mschapv2' });
		});
	});

	test('the old package\'s options are shown and explained where there are any', async () => {
		await form({}, async (page) => assert.equal(await field(page, 'sstp_options').count(), 0));
		await form({ sstp_options: '--ca-cert /x' }, async (page) => {
			assert.match(await field(page, 'sstp_options').innerText(), /Old options of sstpc[^]*former SSTP package/);
			assert.equal(await field(page, 'pppd_options').count(), 0);
		});
	});

	test('the old package\'s --cert-warn is shown as what it means, and can be ended', async () => {
		const old = { server: [ 'a' ], sstp_options: '--cert-warn' };

		await form(old, async (page) => {
			assert.equal(await input(page, 'verify').inputValue(), 'none');
			assert.equal(await input(page, 'insecure_login').isChecked(), true);
			assert.deepEqual(await saved(page), old, 'unchanged as long as nobody changes it');
			await page.getByLabel('Log in although the server is not verified').uncheck();
			assert.deepEqual(await saved(page), { ...old, insecure_login: '0' });
		});
		await form(old, async (page) => {
			await input(page, 'verify').selectOption('full');
			assert.deepEqual(await saved(page), { ...old, verify: 'full' }, 'without it the old word would count');
		});
		await form({ ...old, ca_cert: '/etc/ca.pem' }, async (page) => assert.equal(await input(page, 'verify').inputValue(), 'full'));
	});

	test('wrong values are refused as they are typed, with what to enter', () => form({ server: [ 'a' ] }, async (page) => {
		for (const [ name, value, want ] of [ [ 'server', 'https://vpn', /without https/ ], [ 'port', '0', /1 to 65535/ ], [ 'cert_pin', 'sha1:00', /64 hexadecimal/ ], [ 'server_name', 'a:1', /without a port/ ], [ 'sni', 'a:1', /single -/ ],
			[ 'proxy', 'socks5://x:1', /http:\/\/host:port/ ], [ 'path_secret', 'a b', /without blanks/ ], [ 'mtu', '9000', /576 to 1500/ ], [ 'keepalive', '3', /two numbers: how many requests/ ], [ 'hold', '-1', /0 to 86400/ ], [ 'maxfail', 'x', /0 to 1000000/ ], [ 'congestion', 'a b', /cubic/ ] ]) {
			await input(page, name).fill(value);
			assert.match(await error(page, name), want, name);
			await input(page, name).fill('');
			assert.equal(await error(page, name), '', name);
		}
	}));

	test('what does not go together is refused', async () => {
		const refused = (values, want) => form({ server: [ 'a' ], ...values }, async (page) => assert.match(String(await saved(page)), want));

		await refused({ verify: 'pin' }, /refused: Verify the server: Add the fingerprint/);
		await refused({ cert: '/c' }, /Private key: Choose the private key/);
		await refused({ key: '/k' }, /Client certificate: Choose the client certificate/);
		await refused({ auth: [ 'eap-tls' ] }, /Methods: EAP-TLS needs a client certificate/);
		await refused({ auth: [ 'pap' ], verify: 'none' }, /Methods: PAP and CHAP would give the password away/);
		await refused({ auth: [ 'mschapv9' ] }, /Methods: Choose one of the listed methods/);
		await refused({ server: [ 'http://a' ] }, /Server: Enter a host name/);
		await form({ server: [ 'a' ], auth: [ 'eap-tls' ] }, async (page) => {
			await saved(page);
			assert.match(await field(page, 'auth').locator('[role=alert]').innerText(), /EAP-TLS needs/, 'LuCI itself would refuse in silence');
			await field(page, 'auth').getByRole('button').first().click();
			assert.equal(await field(page, 'auth').locator('[role=alert]').count(), 0);
		});
		await form({ server: [ 'a' ], auth: [ 'pap' ] }, async (page) => assert.equal(typeof await saved(page), 'object'));
	});

	test('only what matters is shown', () => form({ server: [ 'a' ] }, async (page) => {
		const shown = async () => (await Promise.all([ 'cert_pin', 'ca_cert', '_sstp_verify_full', '_sstp_verify_pin', '_sstp_verify_none' ].map(async (n) => await field(page, n).isVisible() ? n : ''))).filter((n) => n).join();

		assert.equal(await shown(), 'cert_pin,ca_cert,_sstp_verify_full');
		await input(page, 'verify').selectOption('pin');
		assert.equal(await shown(), 'cert_pin,_sstp_verify_pin');
		await input(page, 'verify').selectOption('none');
		assert.equal(await shown(), '_sstp_verify_none');
		assert.match(await field(page, '_sstp_verify_none').innerText(), /logins with user name and password are refused/i);
	}));

	test('a server that is not verified gets no login, and one click trusts it', () => form({ server: [ 'a' ], username: 'u', password: 'p', verify: 'none' }, async (page) => {
		assert.match(await field(page, '_sstp_verify_none').innerText(), /Logins with user name and password are refused/);
		await page.getByRole('button', { name: 'Trust the server\'s certificate…' }).click();

		const ask = page.getByRole('dialog', { name: 'Trust this certificate?' }), pin = `sha256:${recorded('probe-not-verified').servers[0].chain[0].sha256}`;

		await ask.getByRole('button', { name: 'Trust this certificate' }).click();
		await page.getByText('Everything works').first().waitFor();

		const [ first, second ] = router.called('sstp.probe').map((c) => c.args.options);

		assert.deepEqual([ first.username, first.password, first.verify ], [ '', '', 'none' ], 'nobody unknown is told the user name');
		assert.deepEqual([ second.username, second.password, second.verify, second.cert_pin ], [ 'u', 'p', 'pin', [ pin ] ]);
		await page.getByRole('button', { name: 'Close' }).click();
		assert.deepEqual(await saved(page), { server: [ 'a' ], username: 'u', password: 'p', verify: 'pin', cert_pin: [ pin ] });
	}, {}, { 'sstp.probe': ({ options }) => recorded(options.username ? 'probe-passed' : 'probe-not-verified') }));

	test('a login that was refused because the server is not verified leads to its certificate', () => form({ server: [ 'a' ], username: 'u', verify: 'none' }, async (page) => {
		await page.getByRole('button', { name: 'Test connection' }).click();
		await page.getByRole('button', { name: 'Trust this certificate…' }).waitFor();
		assert.equal(await page.getByRole('dialog', { name: 'Trust this certificate?' }).count(), 0);
	}, {}, { 'sstp.probe': () => {
		const answer = recorded('probe-not-verified'), server = answer.servers[0];

		return { ...answer, servers: [ { ...server, ok: false, stages: [ ...server.stages.filter((s) => s.stage != 'ppp' && s.stage != 'auth'), { stage: 'auth', ok: false, ms: 1, code: 'AUTH_METHOD_REFUSED', message: 'm', hint: 'h' } ] } ] };
	} }));

	test('to log in with an unverified server takes a look under Details, and is undone with verify', () => form({ server: [ 'a' ], verify: 'none' }, async (page) => {
		assert.equal(await input(page, 'insecure_login').isVisible(), false);
		await field(page, 'insecure_login').locator('summary').click();
		await page.getByLabel('Log in although the server is not verified').check();
		assert.equal(await field(page, '_sstp_verify_none').isVisible(), false);
		assert.match(await field(page, '_sstp_verify_login').innerText(), /log in to the real server in your place/);
		assert.deepEqual(await saved(page), { server: [ 'a' ], verify: 'none', insecure_login: '1' });
		await input(page, 'verify').selectOption('full');
		assert.deepEqual(await saved(page), { server: [ 'a' ] });
	}));

	test('a tunnel that is held for ever says what that means', () => form({ server: [ 'a' ] }, async (page) => {
		assert.match(await field(page, 'hold').innerHTML(), /value="forever">Keep the tunnel's routes for ever \(nothing leaves by another way\)/);
		await input(page, 'hold').fill('forever');
		assert.deepEqual(await saved(page), { server: [ 'a' ], hold: 'forever' });
	}));

	test('passwords are not legible over the shoulder', () => form({ password: 'p', proxy: 'http://u:p@x', path_secret: 's' }, async (page) => {
		for (const name of [ 'password', 'proxy', 'path_secret' ])
			assert.equal(await input(page, name).getAttribute('type'), 'password');
	}));

	test('the connection is tested with what stands in the form, saved or not', () => form({ server: [ 'saved.example' ], cert_pin: [ 'sha256:old' ] }, async (page) => {
		await enter(page, 'server', 'new.example');
		await input(page, 'username').fill('u');
		await input(page, 'password').fill('p w');
		await input(page, 'verify').selectOption('none');
		await page.getByRole('button', { name: 'Test connection' }).click();
		await page.getByText('Everything works').first().waitFor();

		const { interface: name, options } = router.called('sstp.probe')[0].args;

		assert.equal(name, '', 'nothing of the stored settings gets in between');
		assert.deepEqual([ options.server, options.username, options.password, options.verify, options.cert_pin ], [ [ 'saved.example', 'new.example' ], 'u', 'p w', 'none', undefined ]);
		assert.equal(await page.evaluate(() => JSON.stringify(standin.uci.values.vpn)), JSON.stringify({ server: [ 'saved.example' ], cert_pin: [ 'sha256:old' ] }));
	}, {}, { 'sstp.probe': recorded('probe-passed') }));

	test('trusting from the form enters the fingerprint, and makes it count', () => form({ server: [ 'a' ], verify: 'none' }, async (page) => {
		await page.getByRole('button', { name: 'Test connection' }).click();
		await page.getByRole('button', { name: 'Trust this certificate…' }).click();
		await page.getByRole('dialog', { name: 'Trust this certificate?' }).getByRole('button', { name: 'Trust this certificate' }).click();
		await page.waitForFunction(() => document.querySelectorAll('dialog').length == 1);

		const pin = `sha256:${recorded('probe-not-verified').servers[0].chain[0].sha256}`;

		assert.equal(router.called('sstp.trust').length, 0, 'the form is saved by its own button');
		await page.getByRole('button', { name: 'Close' }).click();
		assert.deepEqual(await saved(page), { server: [ 'a' ], verify: 'pin', cert_pin: [ pin ] });
		assert.deepEqual(router.called('sstp.probe')[1].args.options.cert_pin, [ pin ], 'it is tried with the new fingerprint at once');
	}, {}, { 'sstp.probe': recorded('probe-not-verified') }));

	const importDialog = async (page) => {
		await page.getByRole('button', { name: 'Import settings…' }).click();
		return page.getByRole('dialog', { name: 'Import settings' });
	};

	const EXPORT = '/interface sstp-client\nadd connect-to=one.example user=u1 password=secret1 name=one verify-server-certificate=yes\nadd connect-to=two.example:444 user="<img src=x onerror=window.pwned=1>" name=two authentication=mschap2 http-proxy=10.0.0.1:80\nadd name=broken';

	test('pasted text: shown, chosen, filled in', () => form({ server: [ 'old.example' ] }, async (page) => {
		const dialog = await importDialog(page), fill = dialog.getByRole('button', { name: 'Fill in the form' });

		assert.equal(await fill.isDisabled(), true);
		await dialog.getByRole('textbox').fill(EXPORT);
		assert.match(await dialog.innerText(), /Line 4: The tunnel has no connect-to/);
		assert.match(await dialog.innerText(), /Server\s+one\.example[^]*Password\s+••••••••/);
		assert.ok(!(await dialog.locator('.sstp-import-found').innerText()).includes('secret1'));

		await dialog.getByRole('combobox', { name: 'Tunnel' }).selectOption('two');
		assert.match(await dialog.innerText(), /Server\s+two\.example:444[^]*did not verify/);
		await assertUnharmed(page);
		await fill.click();
		await dialog.waitFor({ state: 'detached' });
		assert.deepEqual(await saved(page), { server: [ 'two.example:444' ], username: '<img src=x onerror=window.pwned=1>', auth: [ 'mschapv2' ], proxy: 'http://10.0.0.1:80', defaultroute: '0' });
	}));

	test('a file: chosen or dropped, in any of its encodings', () => form({}, async (page) => {
		const dialog = await importDialog(page), pbk = Buffer.from('\ufeff[B\u00fcro]\r\nVpnStrategy=5\r\nPhoneNumber=office.example\r\nIpDnsAddress=10.0.0.53\r\n', 'utf16le');

		await dialog.locator('input[type=file]').setInputFiles({ name: 'rasphone.pbk', mimeType: 'text/plain', buffer: pbk });
		await dialog.getByText('office.example', { exact: true }).waitFor();

		await dialog.locator('.sstp-drop').evaluate((node) => {
			const data = new DataTransfer();

			data.items.add(new File([ 'declare root\n{\n\tdeclare ClientOption\n\t{\n\t\tstring Hostname soft.example\n\t}\n}\n' ], 'a.vpn'));
			node.dispatchEvent(new DragEvent('drop', { dataTransfer: data, bubbles: true, cancelable: true }));
		});
		await dialog.locator('dd', { hasText: 'soft.example' }).waitFor();
		await dialog.getByRole('button', { name: 'Fill in the form' }).click();
		assert.deepEqual(await saved(page), { server: [ 'soft.example' ] });
	}));

	test('a file that is none, or too large, fills nothing in', () => form({}, async (page) => {
		const dialog = await importDialog(page);

		await dialog.getByRole('textbox').fill(HOSTILE);
		assert.match(await dialog.innerText(), /Line 1: None of the known formats was found/);
		assert.equal(await dialog.getByRole('button', { name: 'Fill in the form' }).isDisabled(), true);
		await dialog.locator('input[type=file]').setInputFiles({ name: 'x.bin', mimeType: 'text/plain', buffer: Buffer.alloc(300000) });
		await dialog.getByText('larger than 256 KiB').waitFor();
		await dialog.locator('input[type=file]').setInputFiles({ name: 'y.bin', mimeType: 'text/plain', buffer: Buffer.alloc(100) });
		await dialog.getByText('not a text file').waitFor();
		await assertUnharmed(page);
		await page.keyboard.press('Escape');
		assert.match(await saved(page), /Enter the server/);
	}));

	test('the import dialog fits a phone', () => form({}, async (page) => {
		const dialog = await importDialog(page);

		await dialog.getByRole('textbox').fill(EXPORT.replace('one.example', 'a-very-long-label.'.repeat(10) + 'example'));
		await assertFits(page);
		assert.ok(await dialog.evaluate((d) => d.querySelector('.sstp-dialog-body').scrollWidth <= d.querySelector('.sstp-dialog-body').clientWidth));
	}, { width: 360, height: 640 }));

	test('a long interface name has the daemon\'s device name', () => form({}, async (page) => {
		const name = (sid) => page.evaluate(async (sid) => (await standin.load('protocol.sstp')).getIfname.call({ sid, _ubus: () => null }), sid);

		/* as config.DeviceName names them */
		for (const [ sid, device ] of [ [ 'vpn', 'sstp-vpn' ], [ '0123456789', 'sstp-0123456789' ], [ 'elevenchars', 'sstp-elev50be1a' ], [ 'company_headquarters', 'sstp-compe1f5e9' ] ])
			assert.equal(await name(sid), device);
	}));
});
