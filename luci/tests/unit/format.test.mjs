import { test } from 'node:test';
import assert from 'node:assert/strict';
import { load } from '../load.mjs';

const format = load('sstp.format');
const plain = (s) => s.replaceAll('\u00a0', ' ');

test('bytes and rates have three digits and a unit', () => {
	for (const [ n, want ] of [ [ 0, '0 B' ], [ 999, '999 B' ], [ 1023.7, '1 KiB' ], [ 1024, '1 KiB' ], [ 1536, '1.5 KiB' ],
		[ 123 * 1024 * 1024, '123 MiB' ], [ 5.25e12, '4.77 TiB' ], [ 2 ** 53, '8 PiB' ] ])
		assert.equal(plain(format.bytes(n)), want);

	for (const [ n, want ] of [ [ 0, '0 bit/s' ], [ 999.7, '1 kbit/s' ], [ 12345678, '12.3 Mbit/s' ], [ 1e9, '1 Gbit/s' ], [ 5e12, '5,000 Gbit/s' ] ])
		assert.equal(plain(format.rate(n)), want);
});

test('what is not known is a dash, never NaN', () => {
	for (const f of [ 'bytes', 'rate', 'milliseconds', 'count' ])
		for (const n of [ undefined, NaN, -1 ])
			assert.equal(format[f](n), '-');
});

test('milliseconds have a tenth at most, and nothing that took time took none', () => {
	for (const [ ms, want ] of [ [ 0, '0 ms' ], [ 0.01, '0.1 ms' ], [ 0.42, '0.4 ms' ], [ 23.44, '23.4 ms' ], [ 99.96, '100 ms' ], [ 123.4, '123 ms' ], [ 999.5, '1 s' ], [ 1234, '1.23 s' ] ])
		assert.equal(plain(format.milliseconds(ms)), want);
});

test('a span shows its two largest units', () => {
	for (const [ s, want ] of [ [ -5, '0 s' ], [ 59.9, '59 s' ], [ 60, '1 min 0 s' ], [ 3725, '1 h 2 min' ], [ 90061, '1 d 1 h' ], [ 400 * 86400, '400 d 0 h' ] ])
		assert.equal(format.duration(s), want);
});

test('days are whole, and negative once the moment has passed', () => {
	assert.equal(format.daysLeft(100 + 86400 * 14, 100), 14);
	assert.equal(format.daysLeft(100 + 86400 * 14 - 1, 100), 13);
	assert.equal(format.daysLeft(99, 100), -1);
});

test('today needs no date', () => {
	const noon = Date.UTC(2026, 5, 1, 12) / 1000;

	assert.doesNotMatch(format.moment(noon, noon + 60), /2026/);
	assert.match(format.moment(noon, noon + 86400 * 2), /2026/);
	assert.match(format.day(noon), /2026/);
});

test('fingerprints look as openssl prints them', () => {
	assert.equal(format.fingerprint('0a1b2c'), '0A:1B:2C');
	assert.equal(format.fingerprint('<img>'), '');
	assert.equal(format.fingerprint(undefined), '');
});

test('what is filled into a sentence is not looked into again', () => {
	assert.equal(format.fill('%s and %s', '%s', 'b'), '%s and b');
	assert.equal(format.fill('%s', undefined), '');
	assert.equal(format.fill('%s', '$&'), '$&');
});
