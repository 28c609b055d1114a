import { test } from 'node:test';
import assert from 'node:assert/strict';
import { load } from '../load.mjs';

const graph = load('sstp.graph');
const frame = { now: 300, span: 300, top: 100 }, size = { width: 600, height: 100 };
const points = (...ys) => ys.map((y, i) => ({ at: i * 100, y }));

test('a scale has round steps and covers the largest value', () => {
	for (const max of [ 0, 1, 7.3, 99, 100, 101, 1234, 8.7e6, 1e9, 3.3e-3 ]) {
		const { top, ticks } = graph.scale(max, 0.001);

		assert.ok(top >= max && top <= Math.max(max, 0.001) * 2.5 + 1e-9, `top ${top} for ${max}`);
		assert.ok(ticks.length >= 3 && ticks.length <= 5, `${ticks.length} ticks for ${max}`);
		assert.equal(ticks[0], 0);
		assert.ok(Math.abs(ticks[ticks.length - 1] - top) < 1e-9 * top);

		const step = top / (ticks.length - 1), digits = step / 10 ** Math.floor(Math.log10(step));

		assert.ok([ 1, 2, 2.5, 5, 10 ].some((d) => Math.abs(d - digits) < 1e-6), `step ${step} is not round`);
	}
});

test('nothing and nonsense draw on the least scale', () => {
	for (const max of [ 0, NaN, Infinity, undefined ])
		assert.equal(graph.scale(max, 10).top, 10);
});

test('zero stands at the bottom, the top at the top, now on the right', () => {
	assert.equal(graph.y(0, frame, size), 98);
	assert.equal(graph.y(100, frame, size), 2);
	assert.equal(graph.y(1e9, frame, size), 2, 'nothing leaves the picture');
	assert.equal(graph.x(300, frame, size), 600);
	assert.equal(graph.x(0, frame, size), 0);
});

test('a line breaks where nothing is known', () => {
	assert.equal(graph.line(points(0, 100, null, 50), 'y', frame, size), 'M0.0 98.0L200.0 2.0M600.0 50.0h0.1');
	assert.equal(graph.line([], 'y', frame, size), '');
	assert.equal(graph.line(points(null, undefined), 'y', frame, size), '');
});

test('a surface goes down to the ground on both sides, and a lone point has none', () => {
	assert.equal(graph.area(points(0, 100), 'y', frame, size), 'M0.0 100L0.0 98.0L200.0 2.0L200.0 100Z');
	assert.equal(graph.area(points(5, null), 'y', frame, size), '');
});

test('what is left of the picture is left out, but for the point that the line comes from', () => {
	const later = { now: 650, span: 300, top: 100 };

	assert.match(graph.line([ ...points(1, 2, 3, 4), { at: 600, y: 5 } ], 'y', later, size), /^M-100\.0 [^L]*L/);
	assert.equal(graph.line(points(1, 2, 3, 4), 'y', { now: 5000, span: 300, top: 100 }, size), '');
});

test('the nearest point to a place', () => {
	assert.equal(graph.nearest(points(1, 2, 3, 4), 0.7, frame).y, 3);
	assert.equal(graph.nearest(points(1, 2, 3, 4), 1, frame).y, 4);
	assert.equal(graph.nearest([], 0.5, frame), null);
	assert.equal(graph.nearest(points(1), 0.5, { now: 9000, span: 300, top: 1 }), null);
});
