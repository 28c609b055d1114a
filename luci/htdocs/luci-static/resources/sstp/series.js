'use strict';
'require baseclass';

/*
 * The samples behind the graphs: what the counters read at which moment, and the rates between them. Moments are
 * milliseconds of the browser's clock, so that a router with a wrong clock draws as well.
 */

const KEEP_MS = 300 * 1000;

/* A gap longer than this is drawn as a gap: nobody looked, or the tunnel was away. */
const GAP_MS = 60 * 1000;

function isSample(s) {
	return Array.isArray(s) && s.length == 4 && s.slice(0, 3).every((n) => Number.isFinite(n) && n >= 0) &&
		(s[3] === null || Number.isFinite(s[3]));
}

return baseclass.extend({
	KEEP_MS,

	/* samples: [ moment, received bytes, sent bytes, round trip in ms or null ], oldest first. Returns a new list. */
	add(samples, now, rxBytes, txBytes, rttMs) {
		const last = samples[samples.length - 1];

		/* the browser's clock was set back: the old samples have no place any more */
		const kept = (last && last[0] >= now) ? [] : samples.filter((s) => now - s[0] <= KEEP_MS + GAP_MS);

		return [ ...kept, [ now, rxBytes, txBytes, Number.isFinite(rttMs) ? rttMs : null ] ];
	},

	/* Points { at, rx, tx, rtt } with rates in bit/s; rx and tx are null where no rate can be told. */
	rates(samples) {
		return samples.map((s, i) => {
			const p = samples[i - 1], seconds = p ? (s[0] - p[0]) / 1000 : 0;

			/* a counter that went back belongs to a new daemon */
			const known = p && s[0] - p[0] <= GAP_MS && s[1] >= p[1] && s[2] >= p[2];

			return {
				at: s[0],
				rx: known ? (s[1] - p[1]) * 8 / seconds : null,
				tx: known ? (s[2] - p[2]) * 8 / seconds : null,
				rtt: s[3]
			};
		});
	},

	serialize(samples) {
		return JSON.stringify(samples);
	},

	/* Whatever storage holds: a list that is not ours is an empty one. */
	parse(text, now) {
		try {
			const list = JSON.parse(text);

			return Array.isArray(list) ? list.filter((s) => isSample(s) && s[0] <= now && now - s[0] <= KEEP_MS) : [];
		}
		catch (e) {
			return [];
		}
	}
});
