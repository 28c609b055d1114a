import { test } from 'node:test';
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { load } from '../load.mjs';

const sha256 = load('sstp.sha256');

test('the examples of FIPS 180-4', () => {
	const hex = (s) => sha256.hex(new TextEncoder().encode(s));

	assert.equal(hex(''), 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855');
	assert.equal(hex('abc'), 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad');
	assert.equal(hex('abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq'),
		'248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1');
});

test('every length around the blocks agrees with another implementation', () => {
	for (let n = 0; n < 300; n++) {
		const bytes = Uint8Array.from({ length: n }, (x, i) => i * 7 + n & 255);

		assert.equal(sha256.hex(bytes), createHash('sha256').update(bytes).digest('hex'), `${n} bytes`);
	}
});
