import { test } from 'node:test';
import assert from 'node:assert/strict';
import { load } from '../load.mjs';

const series = load('sstp.series');

const T = 1_700_000_000_000;
const record = (...rows) => rows.reduce((list, [ s, rx, tx, rtt ]) => series.add(list, T + s * 1000, rx, tx, rtt), []);

test('a rate is the difference of two counters over the time between', () => {
	const [ first, second ] = series.rates(record([ 0, 1000, 0, 5 ], [ 4, 6000, 500, 6 ]));

	assert.deepEqual([ first.rx, first.tx ], [ null, null ], 'one sample tells no rate');
	assert.deepEqual([ second.rx, second.tx, second.rtt ], [ 10000, 1000, 6 ]);
});

test('a counter that went back belongs to a new daemon: no rate, and none below zero', () => {
	assert.deepEqual(series.rates(record([ 0, 9000, 9000 ], [ 3, 10, 9001 ])).map((p) => p.rx), [ null, null ]);
});

test('after a minute without a look the rate is unknown, not averaged', () => {
	assert.equal(series.rates(record([ 0, 0, 0 ], [ 61, 1e9, 0 ]))[1].rx, null);
	assert.notEqual(series.rates(record([ 0, 0, 0 ], [ 59, 1e9, 0 ]))[1].rx, null);
});

test('at least three minutes are kept, and not much more than five', () => {
	let list = [];

	for (let s = 0; s < 3600; s += 3)
		list = series.add(list, T + s * 1000, s, s, null);

	const span = (list[list.length - 1][0] - list[0][0]) / 1000;

	assert.ok(span >= 180 && span <= 400, `${span} s are kept`);
});

test('a clock that was set back starts anew', () => {
	const list = series.add(record([ 100, 1, 1 ]), T, 2, 2, null);

	assert.equal(list.length, 1);
	assert.equal(list[0][0], T);
});

test('storage gives back what was put in, and nothing that was not ours', () => {
	const list = record([ 0, 10, 20, 3.5 ], [ 3, 11, 21, undefined ]);

	assert.deepEqual(series.parse(series.serialize(list), T + 5000), list);

	for (const bad of [ null, '', '{', '{}', '7', '[1]', '[[1,2,3]]', '[["a","b","c","d"]]', '[[1e999,0,0,0]]', `[[${T},-1,0,0]]` ])
		assert.deepEqual(series.parse(bad, T), [], `${bad} is no list of samples`);

	assert.deepEqual(series.parse(series.serialize(list), T + 3600_000), [], 'an old visit is no history of now');
});
