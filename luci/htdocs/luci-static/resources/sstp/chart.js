'use strict';
'require baseclass';
'require dom';
'require sstp.format as format';
'require sstp.graph as graph';

/*
 * A live graph as SVG. The picture stretches with the page, so all text stands beside it as text of the page.
 */

const SIZE = { width: 600, height: 140 };

/* A graph that has just begun shows less time, so that there is something to see; it widens to the last of these. */
const SPANS = [ 60, 120, 300 ];

function svg(tag, attrs, children) {
	const node = document.createElementNS('http://www.w3.org/2000/svg', tag);

	for (const name in attrs)
		node.setAttribute(name, attrs[name]);

	node.append(...(children ?? []));
	return node;
}

return baseclass.extend({
	/*
	 * spec: { title, series: [ { key, label, look, area } ], text (formats a value), least (of the scale) }. Returns
	 * { node, update(points, nowMs) }.
	 */
	create(spec) {
		const grid = svg('g', { 'class': 'sstp-grid' }),
		      cursor = svg('line', { 'class': 'sstp-cursor', 'y1': 0, 'y2': SIZE.height, 'visibility': 'hidden' }),
		      labels = E('div', { 'class': 'sstp-ylabels', 'aria-hidden': 'true' }),
		      time = E('span', { 'class': 'sstp-chart-time' }),
		      empty = E('div', { 'class': 'sstp-chart-empty' }, [ _('Measuring\u2026') ]),
		      lines = spec.series.map((s) => ({
			...s,
			area: s.area ? svg('path', { 'class': `sstp-area sstp-series-${s.look}` }) : null,
			line: svg('path', { 'class': `sstp-line sstp-series-${s.look}`, 'vector-effect': 'non-scaling-stroke' }),
			value: E('b', {}, [ '-' ]),
			most: null
		      })),
		      picture = svg('svg', { 'viewBox': `0 0 ${SIZE.width} ${SIZE.height}`, 'preserveAspectRatio': 'none', 'role': 'img', 'aria-label': spec.title }, [
			grid, ...lines.flatMap((l) => l.area ? [ l.area, l.line ] : [ l.line ]), cursor
		      ]),
		      plot = E('div', { 'class': 'sstp-plot' }, [ picture, labels, empty ]);
		const times = E('div', { 'class': 'sstp-xlabels', 'aria-hidden': 'true' });
		let points = [], frame = { now: 0, span: 0, top: spec.least }, place = null;

		const legend = () => {
			const p = (place === null) ? points[points.length - 1] : graph.nearest(points, place, frame);

			for (const l of lines)
				l.value.textContent = (place === null) ? (l.most === null) ? '-' : format.fill(_('max. %s'), spec.text(l.most)) : (p && p[l.key] !== null) ? spec.text(p[l.key]) : '-';

			time.textContent = (place !== null && p) ? format.moment(p.at / 1000, frame.now / 1000) : '';
			cursor.setAttribute('visibility', (place !== null && p) ? 'visible' : 'hidden');

			if (place !== null && p)
				for (const end of [ 'x1', 'x2' ])
					cursor.setAttribute(end, graph.x(p.at, frame, SIZE));
		};

		const follow = (ev) => {
			const box = picture.getBoundingClientRect();

			place = Math.min(1, Math.max(0, (ev.clientX - box.left) / box.width));
			legend();
		};

		plot.addEventListener('pointermove', follow);
		plot.addEventListener('pointerdown', follow);
		plot.addEventListener('pointerleave', () => {
			place = null;
			legend();
		});

		const figure = E('figure', { 'class': 'sstp-chart' }, [
			E('figcaption', {}, [
				E('span', { 'class': 'sstp-chart-title' }, [ spec.title ]),
				...lines.map((l) => E('span', { 'class': `sstp-key sstp-series-${l.look}` }, [ l.label ? `${l.label} ` : '', l.value ])),
				time
			]),
			plot,
			times
		]);

		return {
			node: figure,

			update(newPoints, nowMs) {
				points = newPoints;

				const oldest = points.find((p) => p.at >= nowMs - 1000 * SPANS[SPANS.length - 1])?.at ?? nowMs,
				      seconds = SPANS.find((s) => nowMs - oldest <= 1000 * s) ?? SPANS[SPANS.length - 1], parts = (seconds > 120) ? 5 : 4;

				if (frame.span != 1000 * seconds) {
					frame.span = 1000 * seconds;
					dom.content(times, Array.from({ length: parts + 1 }, (x, i) => seconds * (parts - i) / parts).map((s) => E('span', {}, [
						!s ? _('now') : (seconds > 120) ? format.fill(_('\u2212%s min', 'minutes ago, below a graph'), s / 60) : format.fill(_('\u2212%s s', 'seconds ago, below a graph'), s)
					])));
				}

				const seen = points.filter((p) => p.at >= nowMs - frame.span), keys = spec.series.map((s) => s.key),
				      { top, ticks } = graph.scale(graph.max(seen, keys), spec.least);

				if (top != frame.top || !grid.childNodes.length) {
					frame.top = top;
					grid.replaceChildren(...ticks.map((t) => svg('line', {
						'x1': 0, 'x2': SIZE.width, 'y1': graph.y(t, frame, SIZE), 'y2': graph.y(t, frame, SIZE), 'vector-effect': 'non-scaling-stroke'
					})));
					dom.content(labels, ticks.map((t) => {
						const label = E('span', {}, [ spec.text(t) ]);

						label.style.top = `${(100 * graph.y(t, frame, SIZE) / SIZE.height).toFixed(1)}%`;
						return label;
					}));
					figure.style.setProperty('--sstp-gutter', `${Math.max(...ticks.map((t) => spec.text(t).length))}ch`);
				}

				frame.now = nowMs;

				for (const l of lines) {
					l.most = seen.some((p) => (p[l.key] ?? null) !== null) ? graph.max(seen, [ l.key ]) : null;
					l.line.setAttribute('d', graph.line(points, l.key, frame, SIZE));
					l.area?.setAttribute('d', graph.area(points, l.key, frame, SIZE));
				}

				empty.hidden = keys.some((k) => graph.runs(points, k, frame).length);
				legend();
				picture.setAttribute('aria-label', [ spec.title, ...spec.series.map((s) => format.fill(_('%s now %s, at most %s'), s.label || spec.title,
					(seen.length && seen[seen.length - 1][s.key] !== null) ? spec.text(seen[seen.length - 1][s.key]) : '-', spec.text(graph.max(seen, [ s.key ])))) ].join('. '));
			}
		};
	}
});
