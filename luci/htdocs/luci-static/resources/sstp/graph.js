'use strict';
'require baseclass';

/*
 * From points to SVG paths: scales with round steps, lines that break where nothing is known. No page in here.
 */

/* Room for lines that run along the edge of the picture. */
const MARGIN = 2;

return baseclass.extend({
	/* A scale from 0 to at least max with 2 to 4 round steps. least keeps an idle line at the bottom. */
	scale(max, least) {
		const want = Math.max(Number.isFinite(max) ? max : 0, least),
		      power = Math.pow(10, Math.floor(Math.log10(want / 4))),
		      step = [ 1, 2, 2.5, 5, 10 ].map((f) => f * power).find((s) => s * 4 >= want * (1 - 1e-9)),
		      count = Math.max(2, Math.ceil(want / step - 1e-9));

		return { top: step * count, ticks: Array.from({ length: count + 1 }, (x, i) => i * step) };
	},

	max(points, keys) {
		return points.reduce((m, p) => keys.reduce((n, k) => Math.max(n, p[k] ?? 0), m), 0);
	},

	/* Where a value stands in a picture of size { width, height }. frame: { now, span, top }. */
	x(at, frame, size) {
		return size.width * (1 - (frame.now - at) / frame.span);
	},

	y(value, frame, size) {
		return size.height - MARGIN - (size.height - 2 * MARGIN) * Math.min(value, frame.top) / frame.top;
	},

	/* Runs of neighbouring points that have the key, within the frame and one point to its left. */
	runs(points, key, frame) {
		const first = points.findIndex((p) => p.at >= frame.now - frame.span),
		      seen = (first < 0) ? [] : points.slice(Math.max(0, first - 1)),
		      runs = [];
		let open = null;

		for (const p of seen) {
			if (p[key] === null || p[key] === undefined) {
				open = null;
				continue;
			}

			if (!open)
				runs.push(open = []);

			open.push(p);
		}

		return runs;
	},

	/* The d attribute of a line; a lone point becomes a short dash, which round caps make a dot. */
	line(points, key, frame, size) {
		return this.runs(points, key, frame).map((run) => {
			const spots = run.map((p) => `${this.x(p.at, frame, size).toFixed(1)} ${this.y(p[key], frame, size).toFixed(1)}`);

			return 'M' + spots.join('L') + (spots.length == 1 ? 'h0.1' : '');
		}).join('');
	},

	/* The d attribute of the surface below the line. */
	area(points, key, frame, size) {
		return this.runs(points, key, frame).filter((run) => run.length > 1).map((run) => {
			const left = this.x(run[0].at, frame, size).toFixed(1),
			      right = this.x(run[run.length - 1].at, frame, size).toFixed(1);

			return `M${left} ${size.height}L` + run.map((p) =>
				`${this.x(p.at, frame, size).toFixed(1)} ${this.y(p[key], frame, size).toFixed(1)}`).join('L') + `L${right} ${size.height}Z`;
		}).join('');
	},

	/* The point nearest to a place between 0 (left) and 1 (right), null where there is none in the frame. */
	nearest(points, place, frame) {
		const at = frame.now - frame.span * (1 - place),
		      seen = points.filter((p) => p.at >= frame.now - frame.span);

		return seen.reduce((best, p) => (best && Math.abs(best.at - at) <= Math.abs(p.at - at)) ? best : p, null);
	}
});
