import { test } from 'node:test';
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { goPackage } from '../golang.mjs';
import { load } from '../load.mjs';

const errors = load('sstp.errors');
const block = (text, begin) => text.slice(text.indexOf(begin), text.indexOf('\n}', text.indexOf(begin)));

const constants = Object.fromEntries([ ...goPackage('fault').matchAll(/(\w+)\s+Code = "(\w+)"/g) ].map(([ , name, code ]) => [ name, code ]));
const codes = [ ...block(goPackage('fault'), 'func Codes()').matchAll(/\b([A-Z]\w+)\b/g) ].map(([ , name ]) => constants[name]).filter((c) => c);

test('every code of the daemon has a sentence, and no other', () => {
	assert.equal(codes.length, Object.keys(constants).length);
	assert.deepEqual(Object.keys(errors.CODES).sort(), [ ...codes ].sort());
});

test('every code has a hint in the words of the form', () => {
	assert.deepEqual(Object.keys(errors.HINTS), Object.keys(errors.CODES));
});

test('the daemon\'s usual hints are known, so that only one that knows more is shown beside ours', () => {
	const hints = [ ...block(goPackage('fault'), 'var hints = ').matchAll(/^\t\w+:\s+"(.*)",$/gm) ].map(([ , text ]) => JSON.parse(`"${text}"`));

	assert.deepEqual(errors.USUAL_HINTS, hints);
	for (const h of hints)
		assert.deepEqual(errors.hints('AUTH_FAILED', h), [ errors.HINTS.AUTH_FAILED ]);
	assert.deepEqual(errors.hints('AUTH_FAILED', 'Ask Joe.'), [ errors.HINTS.AUTH_FAILED, 'Ask Joe.' ]);
	assert.deepEqual(errors.hints('INVALID_OPTIONS', 'Install the package sstp again.'), [ 'Install the package sstp again.' ], 'not to be told to correct an option');
	assert.equal(errors.hints('CERT_UNTRUSTED', goPackage('transport/trust').match(/"(Install the package ca-bundle, .*?)"/)[1]).length, 2, 'a router without any authority');
	assert.deepEqual(errors.hints('CERT_UNTRUSTED', 'Store sha256:00 as cert_pin.'), [ errors.HINTS.CERT_UNTRUSTED ]);
});

test('every stage of the daemon has a name', () => {
	const stages = [ ...goPackage('fault').matchAll(/Stage = "(\w+)"/g) ].map(([ , s ]) => s);

	assert.deepEqual(Object.keys(errors.STAGES).filter((s) => s != 'certificate'), stages);
});

test('every state of the daemon has words', () => {
	const states = [ ...goPackage('session').matchAll(/State\s+= "(\w+)"/g) ].map(([ , s ]) => s);

	assert.ok(states.length >= 11);
	for (const s of states)
		assert.ok(Object.hasOwn(errors.STATES, s), s);
});

test('what the netifd handler says of a program that cannot be started is known', () => {
	const [ , message, hint ] = readFileSync(new URL('../../../files/lib/netifd/proto/sstp.sh', import.meta.url), 'utf8').match(/INVALID_OPTIONS "(The program .*?)" "(.*?)"/);

	assert.equal(errors.title('INVALID_OPTIONS', message), message);
	assert.equal(errors.phrase(hint), hint);
	assert.equal(errors.title('INVALID_OPTIONS', 'Option mtu is wrong.'), errors.CODES.INVALID_OPTIONS);
});

test('what a newer daemon says is shown as it is', () => {
	assert.equal(errors.sentence('FLUX_LOST', 'The flux was lost.'), 'The flux was lost.');
	assert.equal(errors.sentence('FLUX_LOST'), 'FLUX_LOST');
	assert.equal(errors.sentence('constructor'), 'constructor');
	assert.deepEqual(errors.hints('FLUX_LOST', 'Wait.'), [ 'Wait.' ]);
	assert.deepEqual(errors.hints('toString'), []);
	assert.equal(errors.phrase('logged in by eap-tls'), 'logged in by EAP-TLS');
	assert.equal(errors.phrase('something new'), 'something new');
	assert.equal(errors.method('constructor'), 'constructor');
	assert.equal(errors.stage('flux'), 'flux');
	assert.deepEqual(errors.state('fluxing'), { look: 'warn', text: 'fluxing' });
});

test('a login that was not made says why, and leads to the certificate', () => {
	const go = goPackage('session'), message = go.match(/"(The server's certificate is not verified, so [^"]*)"/)[1], hint = go.match(/WithDetail\(fmt\.Sprintf\("(If it is your server, [^"]*)"/)[1];

	assert.equal(errors.title('AUTH_METHOD_REFUSED', message), 'The login is refused, because the server\'s certificate is not verified');
	assert.deepEqual(errors.hints('AUTH_METHOD_REFUSED', hint), [ 'If it is your server, Test connection shows its certificate and lets you trust it. Until then no login is made.' ]);
	assert.match(errors.hints('AUTH_METHOD_REFUSED', hint, true)[0], /with the button below/);
});
