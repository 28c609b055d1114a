import { test } from 'node:test';
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { goPackage } from '../golang.mjs';
import { load } from '../load.mjs';

const reach = load('sstp.reach'), errors = load('sstp.errors');
const recorded = (name) => JSON.parse(readFileSync(new URL(`../recorded/${name}.json`, import.meta.url), 'utf8'));
const status = (changes, more) => ({ state: 'up', reach: { checked: 1, internet: { key: 'reach_tunnel', ok: true }, ipv6: { key: 'reach6_none', ok: true }, ...changes }, ...more });

test('connected is said only of a tunnel that traffic uses', () => {
	assert.equal(reach.state(status()), 'up');
	assert.equal(reach.state({ state: 'up' }), 'up', 'an older daemon looks nothing up');
	assert.equal(reach.state(status({ internet: { key: '', ok: false } })), 'up', 'not looked up yet');
	assert.equal(reach.state(status({ internet: { key: 'reach_other', ok: false } })), 'elsewhere');
	assert.equal(reach.state(status({ internet: { key: 'reach_none', ok: false } })), 'elsewhere');
	assert.equal(reach.state(status({ internet: { key: 'reach_other_wanted', ok: true } })), 'up', 'as the user set it');
	assert.equal(reach.state(status({ ipv6: { key: 'reach6_other', ok: false } })), 'elsewhere6');
	assert.equal(reach.state(status({ names: { key: 'names_uplink', ok: false } })), 'up');
	assert.equal(reach.state({ ...status({ internet: { key: 'reach_other', ok: false } }), state: 'holding' }), 'holding');
	assert.equal(reach.state(null), undefined);

	for (const key of [ 'elsewhere', 'elsewhere6' ])
		assert.match(errors.state(key).text, /^Connected, but .*traffic does not use the tunnel$/);
});

test('what was looked up, each with its mark', () => {
	assert.deepEqual(reach.rows(recorded('status-up')).map((r) => `${r.look} ${r.name}: ${r.text}`), [
		'ok Internet: through this tunnel', 'ok IPv6: no IPv6 in the tunnel, and none outside', 'warn Names: by the name servers of the tunnel and of wan', 'ok Firewall: in zone wan'
	]);
	assert.deepEqual(reach.rows(recorded('status-elsewhere')).map((r) => `${r.look} ${r.name}: ${[ r.text, ...r.more ].join(' ')}`), [
		'warn Internet: by wan, although the tunnel is up: a route to 0.0.0.0/1 with metric 0 by eth1 goes before the tunnel\'s with metric 0', 'ok IPv6: no IPv6 in the tunnel, and none outside',
		'warn Names: by the name servers of the tunnel and of wan', 'warn Firewall: vpn is in no zone: the LAN cannot use it',
		'warn Kill switch: on for lan, one exception The section sstp_vpn_reject_1 of the configuration is missing. Option network of the section sstp_vpn_zone of the configuration was changed. The firewall has not loaded the rule Kill-switch-vpn-reject.'
	]);
	assert.deepEqual(reach.rows(null), []);
	assert.deepEqual(reach.rows({ reach: {} }, {}), [], 'nothing is made up');
});

test('a kill switch is told of without a daemon, and a complete one has the mark for it', () => {
	const rows = reach.rows({}, { killswitch: { on: true, complete: true, zones: [ 'lan', 'guest' ], except: [], router: true, problems: [] } });

	assert.deepEqual(rows, [ { name: 'Kill switch', look: 'ok', text: 'on for lan, guest, for the router itself, too', more: [] } ]);
	assert.deepEqual(reach.rows({}, { killswitch: { on: false, problems: [] } }), []);
	assert.equal(reach.rows({}, { killswitch: { on: false, problems: [ { key: 'leftover', args: [ 'x' ] } ] } })[0].look, 'warn');
});

test('a finding that a newer daemon knows is said in its words', () => {
	assert.equal(reach.phrase({ key: 'reach_moon', args: [ 'x' ], text: 'by the moon' }), 'by the moon');
	assert.equal(reach.phrase({ key: 'reach_other', args: [ '%s', 'a cause of a new kind' ] }), 'by %s, although the tunnel is up: a cause of a new kind');
});

test('every finding of the daemon has its words here', () => {
	const source = goPackage('reach');
	const keys = [ ...source.matchAll(/^\t\w+\s+= "((?:reach|reach6|names|zone)_\w+)"/gm) ].map(([ , key ]) => key);

	assert.ok(keys.length > 10);
	assert.deepEqual(Object.keys(reach.FINDINGS).sort(), keys.sort());
});
