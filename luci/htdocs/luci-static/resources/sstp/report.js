'use strict';
'require baseclass';
'require sstp.errors as errors';
'require sstp.format as format';

/*
 * What a probe found, in the order in which people read it, and what a tunnel's state and warnings are. No page in here.
 */

const ORDER = [ 'resolve', 'connect', 'tls', 'certificate', 'http', 'sstp', 'ppp', 'auth' ];

/* Below so many days a certificate should have been renewed: public ones are made out for ever shorter times. */
const CERTIFICATE_WARNING_DAYS = 14;

function isCertificateCode(code) {
	return /^CERT_/.test(code ?? '');
}

return baseclass.extend({
	/* Whether a certificate with so many days left should have been renewed. */
	isSoon(days) {
		return days < CERTIFICATE_WARNING_DAYS;
	},

	/* How the server was verified, in words. */
	verified(by) {
		if (by == 'full')
			return _('signed by a trusted authority, and the name matches');
		if (/^pin /.test(by ?? ''))
			return _('matches the trusted fingerprint');
		if (by == 'none')
			return _('not verified');

		return by || '';
	},

	/* Rows { stage, look: ok|failed|open, ms, finding, code, message, hint } for one server of a probe's answer. */
	rows(server) {
		const rows = [];

		for (const s of server.stages ?? []) {
			const certificate = s.stage == 'tls' && (s.ok || isCertificateCode(s.code)),
			      failed = { look: 'failed', code: s.code, message: s.message, hint: s.hint };

			/* the handshake itself is through where only the certificate was refused */
			rows.push({ stage: s.stage, ms: s.ms, ...((s.ok || certificate)
				? { look: 'ok', finding: (s.finding ?? '').replace(/, (verified by|not verified).*$/, '') } : failed) });

			if (certificate)
				rows.push({ stage: 'certificate', ...(s.ok ? { look: 'ok', finding: this.verified(server.verified_by) } : failed) });
		}

		const reached = rows.map((r) => r.stage), last = Math.max(...ORDER.map((s, i) => reached.includes(s) ? i : -1)), held = server.login_not_tried;

		return [ ...rows, ...ORDER.slice(last + 1).map((stage) => ({ stage, look: 'open',
			...((held?.state == 'up' && stage == 'auth') ? { finding: this.proof(held) } : {}) })) ];
	},

	/* What a running tunnel shows about the login without another one. */
	proof(held) {
		return format.fill(_('tunnel %s is logged in by %s, for %s already'), held.interface, errors.method(held.auth) || '-', format.duration(held.uptime_s ?? 0));
	},

	/* { look: ok|failed|warn, text } over all rows. held: the running tunnel for whose sake the login was not tried. */
	verdict(rows, held) {
		const failed = rows.find((r) => r.look == 'failed');

		if (failed)
			return { look: 'failed', text: errors.title(failed.code, failed.message) };

		if (held)
			return { look: 'warn', text: format.fill(_('The server speaks SSTP. The login was not tried, because it may cut the running tunnel %s: a server that allows one login of a user ends the older one.'), held.interface) };

		if (!rows.some((r) => r.stage == 'auth' && r.look == 'ok'))
			return { look: 'warn', text: _('The server speaks SSTP. The login was not tried: there is no user name.') };

		return { look: 'ok', text: _('Everything works: the server accepted the login.') };
	},

	/*
	 * The state of a tunnel: { key, code, text, hint }. key is one of errors.STATES; the others say why it is not what it
	 * should be. tunnel is what is configured, status and failure what the daemon said, iface what the network service
	 * says (null: it does not know the interface; undefined: it was not heard), handler whether that knows the protocol.
	 */
	state({ tunnel, status, failure, iface, handler }) {
		const fault = iface?.errors?.find((e) => e.code), refused = iface?.errors?.some((e) => e.code == 'INVALID_PROTO');

		if (tunnel.disabled)
			return { key: 'disabled', text: _('The interface is disabled in its settings.') };
		if (status)
			return { key: status.state };
		if (handler === false || refused)
			return { key: 'nohandler', text: _('The network service was started before the protocol was installed. Restart it (service network restart, which interrupts all connections for a moment), or restart the router.') };
		if (failure == 'denied')
			return { key: 'unknown', text: _('Your account on the router is not allowed to see the state of this tunnel.') };
		if (failure == 'late' || failure == 'broken' || iface === undefined)
			return { key: 'unknown', text: _('The tunnel\'s service gave no usable answer.') };
		if (!iface)
			return { key: 'unknown', text: _('The network service does not know this interface yet: its settings were not applied.') };
		if (fault || !iface.autostart)
			return { key: iface.autostart ? 'failed' : 'stopped', ...(fault ? { code: fault.code, text: fault.data?.[0], hint: fault.data?.[1] } : {}) };
		if (iface.pending)
			return { key: 'absent', text: _('The tunnel\'s service is being started.') };

		return { key: 'failed', text: _('The tunnel\'s service is not running. Connect starts it; the system log tells why it ended.') };
	},

	/* What is not wrong but should not stay so: a list of sentences. */
	warnings(status, nowUnix) {
		const list = [], tls = status?.tls;

		if (tls?.verified_by == 'none')
			list.push(_('The server\'s certificate is not verified: anybody on the way can read and change the traffic. Test connection shows the certificate, so that you can trust it.'));

		if (tls?.not_after) {
			const days = format.daysLeft(tls.not_after, nowUnix);

			if (days < 0)
				list.push(_('The server\'s certificate has expired.'));
			else if (this.isSoon(days))
				list.push(format.fill(N_(days, 'The server\'s certificate expires in one day.', 'The server\'s certificate expires in %s days.'), days));
		}

		for (const text of status?.address_warnings ?? [])
			list.push(errors.phrase(text));

		for (const w of status?.options_warned ?? [])
			if (w.option != 'verify' || tls?.verified_by != 'none')
				list.push(format.fill(_('Option %s: %s'), w.option, errors.phrase(w.text)));

		return list;
	}
});
