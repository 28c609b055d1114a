import { test } from 'node:test';
import assert from 'node:assert/strict';
import { load } from '../load.mjs';

const validate = load('sstp.validate');

// The values are those of the daemon's own tests (src/config): what it takes the form must take, and the other way round.
const cases = {
	server: [
		[ 'vpn.example.org', 'vpn.example.org.', 'vpn', 'vpn:444', '203.0.113.1', '203.0.113.1:4433', '2001:db8::1', '[2001:db8::1]', '[2001:db8::1]:444', '::ffff:1.2.3.4', 'a_b.example' ],
		[ 'https://vpn.example.org', 'vpn.example.org/path', 'vpn:0', 'vpn:65536', 'vpn:', 'vpn:+1', 'vpn:044', 'a b', '1.2.3', '256.1.1.1',
			'[1.2.3.4]', '[2001:db8::1', '2001:db8::1]:1', '[::1]444', ':443', 'a..b', '-a', 'a-', 'vpn.example.1', '2001:db8::g', '1::2::3', 'x'.repeat(64), `${'a.'.repeat(127)}a1` ]
	],
	port: [ [ '1', '443', '65535' ], [ '0', '65536', '-1', '0443', '44a', ' 443' ] ],
	host: [ [ 'vpn.example.org', '203.0.113.1', '2001:db8::1' ], [ 'vpn:1', '[2001:db8::1]', 'a/b' ] ],
	sni: [ [ '-', 'vpn.example.org' ], [ '203.0.113.1', '--', 'a:1' ] ],
	pin: [
		[ 'sha256:' + 'ab'.repeat(32), 'SHA256:' + 'AB:'.repeat(31) + 'AB', 'spki-sha256:' + 'A'.repeat(43) + '=', 'spki-sha256:' + '/'.repeat(43) ],
		[ 'sha256:abcd', 'sha1:da39a3ee5e6b4b0d3255bfef95601890afd80709', 'ab'.repeat(32), 'spki-sha256:YWJj', 'spki-sha256:****', 'sha256:' + 'ag'.repeat(32) ]
	],
	proxy: [
		[ 'http://proxy.example:3128', 'HTTP://proxy.example:3128/', 'http://proxy.example', 'proxy.example:8080', 'http://u:p@proxy:1', 'http://u@proxy:1', 'http://CORP%5Cu:p%40%3a:@@proxy:1', 'http://[2001:db8::1]:8080' ],
		[ 'https://proxy:1', 'socks5://proxy:1', 'http://:@proxy:1', 'http://proxy:1/path', 'http://proxy:1//', 'http://u:%zz@proxy:1', 'http://u:%4@proxy:1', 'http://u:%+1@proxy:1', 'http://u:a%0ab@proxy:1', 'http://proxy:0' ]
	],
	mtu: [ [ '576', '1400', '1500' ], [ '575', '1501', '01400', 'auto' ] ],
	keepalive: [ [ '3 10', '5,1', '5, 60', '100 3600' ], [ '3', '0 10', '3 0', '3 10 1', '101 10', '3 3601', '3 10s', '-1 10' ] ],
	hold: [ [ '0', '30', '86400', 'forever' ], [ '86401', '-1', '3s', 'Forever', 'for ever', 'always' ] ],
	attempts: [ [ '0', '1000000' ], [ '1000001', 'x' ] ],
	pathSecret: [ [ 'a', '!~"%' ], [ 'a b', '\u00e4', 'a\t' ] ],
	congestion: [ [ 'bbr', 'cubic' ], [ 'b b', 'x'.repeat(16) ] ],
	file: [ [ '/etc/luci-uploads/ca.pem' ], [ 'ca.pem', 'http://x' ] ],
	authMethod: [ [ 'mschapv2', 'eap-mschapv2', 'eap-tls', 'chap', 'pap' ], [ 'mschap', 'MSCHAPv2', 'peap' ] ],
	credential: [ [ 'CORP\\user', ' blank ', '\u00e4'.repeat(256), '\u{1f511}'.repeat(256) ], [ 'a'.repeat(257) ] ]
};

for (const [ name, [ right, wrong ] ] of Object.entries(cases))
	test(`${name}: right values pass, wrong ones get a sentence that says what to enter`, () => {
		for (const v of [ '', ...right ])
			assert.equal(validate[name](v), true, `${v} is right`);

		for (const v of wrong)
			assert.match(String(validate[name](v)), /^(Enter|Choose) .*\.$/, `${v} is wrong`);
	});

test('what only makes sense together', () => {
	const wrong = (values) => Object.keys(validate.together((name) => values[name]));
	const server = [ 'vpn.example.org' ];

	assert.deepEqual(wrong({}), [ 'server' ]);
	assert.deepEqual(wrong({ server: '' }), [ 'server' ]);
	assert.deepEqual(wrong({ server }), []);
	assert.deepEqual(wrong({ server, verify: 'pin' }), [ 'verify' ]);
	assert.deepEqual(wrong({ server, verify: 'pin', cert_pin: [ 'sha256:00' ] }), []);
	assert.deepEqual(wrong({ server, cert: '/c' }), [ 'key' ]);
	assert.deepEqual(wrong({ server, key: '/k' }), [ 'cert' ]);
	assert.deepEqual(wrong({ server, auth: [ 'eap-tls' ] }), [ 'auth' ]);
	assert.deepEqual(wrong({ server, auth: [ 'eap-tls' ], cert: '/c', key: '/k' }), []);
	assert.deepEqual(wrong({ server, auth: [ 'mschapv2', 'pap' ], verify: 'none' }), [ 'auth' ]);
	assert.deepEqual(wrong({ server, auth: [ 'pap' ], verify: 'full' }), []);
});
