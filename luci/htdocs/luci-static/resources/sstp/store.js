'use strict';
'require baseclass';
'require sstp.series as series';

/* Keeps the samples of the graphs while one looks at other pages of the same window. A browser that forbids it forgets. */

return baseclass.extend({
	load(name, now) {
		try {
			return series.parse(window.sessionStorage.getItem(`sstp.samples.${name}`), now);
		}
		catch (e) {
			return [];
		}
	},

	save(name, samples) {
		try {
			window.sessionStorage.setItem(`sstp.samples.${name}`, series.serialize(samples));
		}
		catch (e) {}
	}
});
