import { test } from 'node:test';
import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { goPackage } from '../golang.mjs';
import { load } from '../load.mjs';

const killswitch = load('sstp.killswitch'), testdata = new URL('../../../src/killswitch/testdata/', import.meta.url);

// What sstp killswitch passes the page has to pass too, to the order of the options.
for (const file of readdirSync(testdata).filter((f) => f.endsWith('.json')))
	for (const vector of JSON.parse(readFileSync(new URL(file, testdata), 'utf8')))
		test(`${file}: ${vector.name}`, () => check(vector));

const text = (state) => JSON.stringify(state, null, '\t');

function check({ before, on, off, inspect, after, error, status }) {
	const untouched = text(before);

	if (on && error) {
		assert.deepEqual(killswitch.on(before, on), { problem: error });
	}
	else if (on) {
		const got = killswitch.on(before, on);

		assert.equal(text(got.state), text(after));
		assert.equal(text(killswitch.on(got.state, on).state), text(after), 'turned on twice it is the same as once');
		assert.equal(killswitch.inspect(got.state, on.tunnel).on, true);
		steps(before, after);
	}
	else if (off) {
		assert.equal(text(killswitch.off(before, off)), text(after));
		steps(before, after);
	}
	else {
		assert.deepEqual(killswitch.inspect(before, inspect), status);
	}

	assert.equal(text(before), untouched, 'the state that was given was written to');
}

// The steps lead to the state: played as LuCI's uci plays them.
function steps(from, to) {
	const state = structuredClone(from);

	for (const s of killswitch.changes(from, to)) {
		const sections = state[s.config], at = sections.findIndex((f) => f['.name'] == s.name);

		if (s.op == 'delete')
			sections.splice(at, 1);
		else if (s.op == 'unset')
			delete sections[at][s.option];
		else if (s.op == 'set')
			sections[at][s.option] = s.value;
		else if (s.op == 'add')
			sections.push(s.section);
		else
			sections.sort((a, b) => s.names.indexOf(a['.name']) - s.names.indexOf(b['.name']));
	}

	assert.deepEqual(state, to);
	assert.deepEqual(killswitch.changes(to, to), []);
}

test('exceptions as the program reads them', () => {
	const state = {
		firewall: [ { '.type': 'zone', '.name': 'a', name: 'lan', network: 'lan' }, { '.type': 'zone', '.name': 'b', name: 'wan', network: 'wan' } ],
		network: [ { '.type': 'interface', '.name': 'vpn', proto: 'sstp' } ]
	};
	const takes = (except) => !killswitch.on(state, { tunnel: 'vpn', zones: [], except: [ except ] }).problem;

	for (const v of [ '192.168.1.7', '10.0.0.0/8', '1.2.3.4/32', 'fd00::1', '2001:db8::/32', '::1.2.3.4', '::/1', 'AA:BB:CC:DD:EE:FF', '1:2:3:4:5:6:7:8' ])
		assert.ok(takes(v), v);

	for (const v of [ '1.2.3', '01.2.3.4', '1.2.3.4/33', '1.2.3.4/0', '1.2.3.4/08', '::/0', 'fd00::1/129', '::ffff:1.2.3.4', '::ffff:102:304', '0:0:0:0:0:ffff:1.2.3.4/96', 'fe80::1%eth0', 'aa:bb:cc:dd:ee', 'aa-bb-cc-dd-ee-ff', 'x', '/8', '1.2.3.4/' ])
		assert.ok(!takes(v), v);
});

test('the zones to choose from are those of local networks', () => {
	const vectors = JSON.parse(readFileSync(new URL('on.json', testdata), 'utf8')), two = vectors.find((v) => v.name == 'Two networks and two uplinks');

	assert.deepEqual(killswitch.localZones(two.before, 'vpn'), [ 'lan', 'guest' ]);
	assert.deepEqual(killswitch.localZones(two.after, 'vpn'), [ 'lan', 'guest' ], 'and not the switch\'s own');
});

test('every problem of the program has its sentence here', () => {
	const all = goPackage('killswitch'), at = all.indexOf('var texts = '), go = all.slice(at, all.indexOf('\n}', at)), theirs = Object.fromEntries([ ...go.matchAll(/^\t"(\w+)":\s+"(.*)",$/gm) ].map(([ , key, sentence ]) => [ key, sentence ]));

	assert.ok(Object.keys(theirs).length > 15);
	assert.deepEqual(killswitch.PROBLEMS, theirs);
});

test('a problem that a newer program knows is said in its words', () => {
	assert.equal(killswitch.text({ key: 'moon', args: [ 'x' ], text: 'The moon is full.' }), 'The moon is full.');
	assert.equal(killswitch.text({ key: 'no_zone', args: [ '%2', 'lan' ] }), 'There is no firewall zone %2. The zones are: lan.', 'an argument is never looked into');
});
