import { test } from 'node:test';
import assert from 'node:assert/strict';
import { load } from '../load.mjs';

const report = load('sstp.report'), errors = load('sstp.errors');

const ok = (stage, finding) => ({ stage, ok: true, ms: 1, finding });
const bad = (stage, code) => ({ stage, ok: false, ms: 1, code, message: 'm', hint: 'h' });
const brief = (rows) => rows.map((r) => `${r.stage} ${r.look}`).join(', ');

test('the certificate has a row of its own, and the handshake is through where only it was refused', () => {
	const rows = report.rows({ verified_by: '', stages: [ ok('resolve'), ok('connect'), bad('tls', 'CERT_UNTRUSTED') ] });

	assert.equal(brief(rows), 'resolve ok, connect ok, tls ok, certificate failed, http open, sstp open, ppp open, auth open');
	assert.equal(rows[3].hint, 'h');
	assert.deepEqual(report.verdict(rows), { look: 'failed', text: errors.CODES.CERT_UNTRUSTED });
});

test('a handshake that failed has no certificate row of its own to fail', () => {
	assert.equal(brief(report.rows({ stages: [ ok('resolve'), ok('connect'), bad('tls', 'TLS_FAILED') ] })),
		'resolve ok, connect ok, tls failed, certificate open, http open, sstp open, ppp open, auth open');
});

test('how the server was verified is said once', () => {
	const rows = report.rows({ verified_by: 'pin sha256:00', stages: [ ok('resolve'), ok('connect'), ok('proxy'), ok('tls', 'TLS 1.3, X, verified by pin'), ok('http') ] });

	assert.equal(brief(rows.slice(0, 6)), 'resolve ok, connect ok, proxy ok, tls ok, certificate ok, http ok');
	assert.equal(rows[3].finding, 'TLS 1.3, X');
	assert.equal(rows[4].finding, 'matches the trusted fingerprint');
});

test('a probe without a user name is half a success', () => {
	const all = [ 'resolve', 'connect', 'tls', 'http', 'sstp' ].map((s) => ok(s, ''));

	assert.equal(report.verdict(report.rows({ stages: all })).look, 'warn');
	assert.equal(report.verdict(report.rows({ stages: [ ...all, ok('ppp'), ok('auth') ] })).look, 'ok');
});

test('a login that was not tried for the sake of a running tunnel', () => {
	const held = { interface: 'vpn', state: 'up', auth: 'mschapv2', uptime_s: 60 }, stages = [ 'resolve', 'connect', 'tls', 'http', 'sstp' ].map((s) => ok(s, '')),
	      rows = report.rows({ stages, login_not_tried: held });

	assert.match(report.verdict(rows, held).text, /may cut the running tunnel vpn/);
	assert.match(rows.find((r) => r.stage == 'auth').finding, /logged in by MS-CHAPv2/);
	assert.equal(report.rows({ stages, login_not_tried: { ...held, state: 'auth' } }).find((r) => r.stage == 'auth').finding, undefined, 'one that logs in proves nothing yet');
	assert.equal(report.verdict(report.rows({ stages: [ bad('resolve', 'FLUX_LOST') ] }), held).look, 'failed');
});

test('a failure before the first stage, and an answer without stages', () => {
	assert.equal(brief(report.rows({ stages: [ bad('config', 'INVALID_OPTIONS') ] })).split(',')[0], 'config failed');
	assert.equal(report.rows({}).length, 8);
	assert.equal(report.verdict(report.rows({ stages: [ bad('resolve', 'FLUX_LOST') ] })).text, 'm');
});

test('the state of a tunnel whose daemon does not answer', () => {
	const tunnel = { interface: 'vpn' }, iface = { autostart: true, pending: true }, key = (o) => report.state({ tunnel, status: null, failure: 'absent', iface, handler: true, ...o }).key;

	assert.equal(key({ status: { state: 'up' } }), 'up');
	assert.equal(key({ tunnel: { disabled: true }, status: { state: 'up' } }), 'disabled');
	assert.equal(key({}), 'absent', 'netifd is starting it');
	assert.equal(key({ iface: { autostart: true, pending: false } }), 'failed');
	assert.equal(key({ iface: { autostart: false } }), 'stopped');
	assert.equal(key({ iface: null }), 'unknown', 'the settings were not applied');
	assert.equal(key({ handler: false }), 'nohandler');
	assert.equal(key({ iface: { errors: [ { code: 'INVALID_PROTO' } ] } }), 'nohandler');
	assert.equal(key({ failure: 'denied' }), 'unknown');
	assert.equal(key({ failure: 'late' }), 'unknown');
	assert.equal(key({ iface: undefined }), 'unknown');
	assert.notEqual(report.state({ tunnel, failure: 'absent', iface: undefined, handler: true }).text, report.state({ tunnel, failure: 'absent', iface: null, handler: true }).text);

	const failed = report.state({ tunnel, status: null, failure: 'absent', iface: { autostart: true, errors: [ { code: 'AUTH_FAILED' } ] }, handler: true });

	assert.deepEqual([ failed.key, failed.code ], [ 'failed', 'AUTH_FAILED' ]);
	assert.deepEqual(report.state({ tunnel, status: null, failure: 'absent', iface: { autostart: false, errors: [ { code: 'AUTH_FAILED' } ] }, handler: true }).key, 'stopped', 'somebody wants it to be down');
});

test('every state that can come out has words', () => {
	for (const key of [ 'disabled', 'nohandler', 'unknown', 'failed', 'stopped', 'absent' ])
		assert.ok(Object.hasOwn(errors.STATES, key));
});

test('what should not stay as it is', () => {
	const now = 1.7e9, days = (n) => report.warnings({ tls: { not_after: now + 86400 * n + 10 } }, now).join();

	assert.deepEqual(report.warnings(null, now), []);
	assert.deepEqual(report.warnings({ tls: { verified_by: 'full' } }, now), []);
	assert.equal(days(14), '');
	assert.match(days(13), /expires in 13 days/);
	assert.match(days(1), /in one day/);
	assert.match(days(-1), /has expired/);
	assert.match(report.warnings({ tls: { verified_by: 'none' } }, now).join(), /not verified/);
	assert.deepEqual(report.warnings({ options_warned: [ { option: 'sstp_options', text: 'x' } ] }, now), [ 'Option sstp_options: x' ]);
	assert.equal(report.warnings({ tls: { verified_by: 'none' }, options_warned: [ { option: 'verify', text: 'x' } ] }, now).length, 1, 'said once');
});
