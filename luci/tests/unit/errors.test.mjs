import { test } from 'node:test';
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { load } from '../load.mjs';

const errors = load('sstp.errors');
const go = (path) => readFileSync(new URL(`../../../src/${path}`, import.meta.url), 'utf8');
const block = (text, begin) => text.slice(text.indexOf(begin), text.indexOf('\n}', text.indexOf(begin)));

const constants = Object.fromEntries([ ...go('fault/fault.go').matchAll(/(\w+)\s+Code = "(\w+)"/g) ].map(([ , name, code ]) => [ name, code ]));
const codes = [ ...block(go('fault/fault.go'), 'func Codes()').matchAll(/\b([A-Z]\w+)\b/g) ].map(([ , name ]) => constants[name]).filter((c) => c);

test('every code of the daemon has a sentence, and no other', () => {
	assert.equal(codes.length, Object.keys(constants).length);
	assert.deepEqual(Object.keys(errors.CODES).sort(), [ ...codes ].sort());
});

test('the daemon\'s usual hints stand here word for word, so that they have a translation', () => {
	const hints = Object.fromEntries([ ...go('fault/hints.go').matchAll(/^\t(\w+):\s+"(.*)",$/gm) ].map(([ , name, text ]) => [ constants[name], JSON.parse(`"${text}"`) ]));

	assert.deepEqual(errors.HINTS, hints);
});

test('every stage of the daemon has a name', () => {
	const stages = [ ...go('fault/fault.go').matchAll(/Stage = "(\w+)"/g) ].map(([ , s ]) => s);

	assert.deepEqual(Object.keys(errors.STAGES).filter((s) => s != 'certificate'), stages);
});

test('every state of the daemon has words', () => {
	const states = [ ...go('session/state.go').matchAll(/State\s+= "(\w+)"/g) ].map(([ , s ]) => s);

	assert.ok(states.length >= 11);
	for (const s of states)
		assert.ok(Object.hasOwn(errors.STATES, s), s);
});

test('what a newer daemon says is shown as it is', () => {
	assert.equal(errors.sentence('FLUX_LOST', 'The flux was lost.'), 'The flux was lost.');
	assert.equal(errors.sentence('FLUX_LOST'), 'FLUX_LOST');
	assert.equal(errors.sentence('constructor'), 'constructor');
	assert.equal(errors.hint('AUTH_FAILED', 'Ask Joe.'), 'Ask Joe.');
	assert.equal(errors.hint('AUTH_FAILED'), errors.HINTS.AUTH_FAILED);
	assert.equal(errors.hint('toString'), '');
	assert.equal(errors.stage('flux'), 'flux');
	assert.deepEqual(errors.state('fluxing'), { look: 'warn', text: 'fluxing' });
});
