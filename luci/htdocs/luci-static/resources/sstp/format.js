'use strict';
'require baseclass';

/*
 * Numbers, times and sentences as people read them. Nothing here touches the page, and what time it is is an argument.
 */

function languageTag() {
	const lang = (typeof document == 'object' && document.documentElement.lang) || 'en';

	try {
		return Intl.getCanonicalLocales(lang.replace(/_/g, '-'))[0];
	}
	catch (e) {
		return 'en';
	}
}

/* Three significant digits: enough to compare, few enough not to flicker. */
function number(n) {
	return new Intl.NumberFormat(languageTag(), (n >= 100) ? { maximumFractionDigits: 0 } : { maximumSignificantDigits: 3 }).format(n);
}

function scaled(n, base, units) {
	let i = 0;

	/* 999.5 would be written as 1000 of the smaller unit */
	while (n >= base - 0.5 && i < units.length - 1) {
		n /= base;
		i++;
	}

	return number(n) + '\u00a0' + units[i];
}

return baseclass.extend({
	/* Replaces %s in order. What stands in for it is never looked into again. */
	fill(template, ...values) {
		return String(template).replace(/%s/g, () => String(values.shift() ?? ''));
	},

	bytes(n) {
		return (n >= 0) ? scaled(n, 1024, [ 'B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB' ]) : '-';
	},

	rate(bitsPerSecond) {
		return (bitsPerSecond >= 0) ? scaled(bitsPerSecond, 1000, [ 'bit/s', 'kbit/s', 'Mbit/s', 'Gbit/s' ]) : '-';
	},

	/* To a tenth: what is less is the router's own unrest. */
	milliseconds(ms) {
		if (!(ms >= 0))
			return '-';

		if (ms >= 999.5)
			return scaled(ms, 1000, [ 'ms', 's' ]);

		return new Intl.NumberFormat(languageTag(), { maximumFractionDigits: (ms >= 99.95) ? 0 : 1 }).format((ms > 0) ? Math.max(ms, 0.1) : 0) + '\u00a0ms';
	},

	count(n) {
		return (n >= 0) ? new Intl.NumberFormat(languageTag()).format(n) : '-';
	},

	/* The two largest units of a span in seconds. */
	duration(seconds) {
		const s = Math.max(0, Math.floor(seconds)),
		      m = Math.floor(s / 60), h = Math.floor(m / 60), d = Math.floor(h / 24);

		if (d > 0)
			return this.fill(_('%s d %s h', 'days and hours'), d, h % 24);
		if (h > 0)
			return this.fill(_('%s h %s min', 'hours and minutes'), h, m % 60);
		if (m > 0)
			return this.fill(_('%s min %s s', 'minutes and seconds'), m, s % 60);

		return this.fill(_('%s s', 'seconds'), s);
	},

	/* A moment in Unix seconds: the time of day alone where it is today. */
	moment(unix, nowUnix) {
		const at = new Date(unix * 1000), now = new Date(nowUnix * 1000),
		      today = (at.toDateString() == now.toDateString());

		return new Intl.DateTimeFormat(languageTag(), today
			? { timeStyle: 'medium' }
			: { dateStyle: 'medium', timeStyle: 'short' }).format(at);
	},

	day(unix) {
		return new Intl.DateTimeFormat(languageTag(), { dateStyle: 'medium' }).format(new Date(unix * 1000));
	},

	/* Whole days left; negative once the moment has passed. */
	daysLeft(unix, nowUnix) {
		return Math.floor((unix - nowUnix) / 86400);
	},

	/* ab12... as AB:12:..., the form in which openssl and Windows print fingerprints. */
	fingerprint(hex) {
		return String(hex || '').toUpperCase().replace(/[^0-9A-F]/g, '').replace(/(..)(?=.)/g, '$1:');
	}
});
