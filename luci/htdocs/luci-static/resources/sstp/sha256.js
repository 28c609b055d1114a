'use strict';
'require baseclass';

/*
 * SHA-256 (FIPS 180-4) of a few kilobytes. crypto.subtle would do it, but browsers offer that only over HTTPS, and most
 * routers are administered over plain HTTP.
 */

/* The first 32 bits of the fractional parts of a root of the first primes, section 4.2.2 and 5.3.3. */
function roots(count, exponent) {
	const primes = [];

	for (let n = 2; primes.length < count; n++)
		if (primes.every((p) => n % p))
			primes.push(n);

	return primes.map((p) => (Math.pow(p, exponent) % 1) * 0x100000000 | 0);
}

const K = roots(64, 1 / 3), START = roots(8, 1 / 2);

function turn(x, n) {
	return x >>> n | x << (32 - n);
}

function compress(state, view, offset) {
	const w = new Int32Array(64);
	let [ a, b, c, d, e, f, g, h ] = state;

	for (let t = 0; t < 64; t++) {
		if (t < 16) {
			w[t] = view.getInt32(offset + 4 * t);
		}
		else {
			const s0 = turn(w[t - 15], 7) ^ turn(w[t - 15], 18) ^ w[t - 15] >>> 3,
			      s1 = turn(w[t - 2], 17) ^ turn(w[t - 2], 19) ^ w[t - 2] >>> 10;

			w[t] = w[t - 16] + s0 + w[t - 7] + s1;
		}

		const t1 = h + (turn(e, 6) ^ turn(e, 11) ^ turn(e, 25)) + (e & f ^ ~e & g) + K[t] + w[t],
		      t2 = (turn(a, 2) ^ turn(a, 13) ^ turn(a, 22)) + (a & b ^ a & c ^ b & c);

		[ h, g, f, e, d, c, b, a ] = [ g, f, e, d + t1 | 0, c, b, a, t1 + t2 | 0 ];
	}

	return [ a, b, c, d, e, f, g, h ].map((n, i) => n + state[i] | 0);
}

return baseclass.extend({
	/* The hash of a Uint8Array, as 64 lower case hexadecimal digits. */
	hex(bytes) {
		const padded = new Uint8Array((bytes.length + 9 + 63 >> 6) * 64), view = new DataView(padded.buffer);
		let state = START;

		padded.set(bytes);
		padded[bytes.length] = 0x80;
		view.setUint32(padded.length - 4, bytes.length * 8);

		for (let at = 0; at < padded.length; at += 64)
			state = compress(state, view, at);

		return state.map((n) => (n >>> 0).toString(16).padStart(8, '0')).join('');
	}
});
