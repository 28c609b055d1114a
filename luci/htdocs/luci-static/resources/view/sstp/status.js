'use strict';
'require dom';
'require poll';
'require ui';
'require view';
'require sstp.api as api';
'require sstp.card as card';
'require sstp.dialog as dialog';
'require sstp.format as format';
'require sstp.series as series';
'require sstp.store as store';
'require sstp.testdialog as testdialog';

/* How often the router is asked, and how often it is asked for more than the tunnels' state. */
const POLL_SECONDS = 3, ROUNDS_BETWEEN_LISTS = 10;

/* After so long without an answer what is shown is called old. */
const STALE_MS = 12 * 1000;

return view.extend({
	handleSave: null,
	handleSaveApply: null,
	handleReset: null,

	/* Without the style sheet all buttons of a card would be seen for a moment. */
	load() {
		return Promise.all([ this.list(), dialog.loadStyle() ]).then(([ lists ]) => lists);
	},

	/* What is configured and what the network service knows; settled answers, never a rejection. */
	list() {
		return Promise.all([ api.tunnels(), api.handlers(), api.interfaces() ]);
	},

	render([ tunnels, handlers, interfaces ]) {
		this.cards = new Map();
		this.models = new Map();
		this.rounds = 0;
		this.may = L.hasViewPermission();
		this.answered = Date.now();
		this.stale = E('div', { 'class': 'sstp-notice', 'role': 'alert', 'hidden': '' });
		this.empty = E('div', { 'class': 'sstp-notice sstp-empty', 'hidden': '' });
		this.cardBox = E('div', { 'class': 'sstp-cards' });

		this.take(tunnels, handlers, interfaces);

		poll.add(() => document.hidden ? null : this.refresh(), POLL_SECONDS);
		document.addEventListener('visibilitychange', () => {
			if (document.hidden)
				return;

			this.answered = Date.now();
			this.refresh();
		});
		window.setInterval(() => document.hidden ? null : this.tick(), 1000);

		return E('div', { 'class': 'sstp' }, [
			E('h2', {}, [ _('SSTP tunnels') ]),
			this.stale, this.empty, this.cardBox
		]);
	},

	/*
	 * The tunnels to show: those of the configuration, or, without the plugin, those that the network service runs. An
	 * answer that is missing changes nothing.
	 */
	take(tunnels, handlers, interfaces) {
		if (handlers.value)
			this.handler = 'sstp' in handlers.value;

		if (interfaces.value)
			this.interfaces = interfaces.value.interface ?? [];

		if (!tunnels.value && this.cards.size && tunnels.failure != 'absent')
			return;

		const list = tunnels.value?.tunnels ?? (this.interfaces ?? []).filter((i) => i.proto == 'sstp').map((i) => ({ interface: i.interface }));

		this.problem = tunnels.failure ? tunnels : null;

		for (const t of list)
			if (!this.cards.has(t.interface)) {
				const may = this.may ? (run) => run : () => null;

				this.models.set(t.interface, { samples: store.load(t.interface, Date.now()) });
				this.cards.set(t.interface, card.create(t.interface, {
					connect: may((name) => this.act(api.connect(name))),
					disconnect: may((name) => this.act(api.disconnect(name))),
					sure: (name) => this.sure(name),
					reconnect: may((name) => this.act(api.reconnect(name))),
					test: may((name) => this.test(name))
				}, may(L.url('admin/network/network'))));
				this.cardBox.appendChild(this.cards.get(t.interface).node);
			}

		for (const [ name, c ] of this.cards)
			if (!list.some((t) => t.interface == name)) {
				c.node.remove();
				this.cards.delete(name);
				this.models.delete(name);
			}

		for (const t of list)
			Object.assign(this.models.get(t.interface), { tunnel: t, handler: this.handler });

		this.showEmpty(list.length == 0);
	},

	showEmpty(none) {
		const what = this.problem ? `problem ${this.problem.failure}` : none ? 'none' : '';

		if (this.emptyShown === what)
			return;

		this.emptyShown = what;
		this.empty.hidden = !what;
		this.empty.className = `sstp-notice sstp-empty sstp-tone-${this.problem ? 'warn' : 'busy'}`;
		dom.content(this.empty, this.problem ? dialog.notice('warn', api.explain(this.problem), (this.problem.failure == 'absent') ? [
			E('p', {}, [ _('If it was installed just now, restart the service rpcd (System, Startup), so that it finds the new one.') ])
		] : []) : (what == 'none') ? dialog.notice('open', _('No SSTP tunnel is configured yet.'), !this.may ? [] : [
			E('p', {}, [ _('Add a network interface with the protocol SSTP and enter the server, user name and password there.') ]),
			E('p', {}, [ E('a', { 'class': 'btn cbi-button cbi-button-positive important', 'href': L.url('admin/network/network') }, [ _('Add a tunnel\u2026') ]) ])
		]) : []);
	},

	/*
	 * One round: the calls of a round go out together as one request. The list of interfaces is asked for only where a
	 * daemon says nothing, and now and then to notice a new tunnel.
	 */
	refresh() {
		if (this.running)
			return this.running;

		const names = [ ...this.cards.keys() ], listed = (this.rounds++ % ROUNDS_BETWEEN_LISTS == 0),
		      unsure = names.some((n) => !this.models.get(n).status), begun = Date.now();

		this.running = Promise.all([
			(listed && this.rounds > 1) ? this.list() : (unsure && this.rounds > 1) ? api.interfaces() : null,
			Promise.all(names.map((n) => api.status(n))),
			Promise.all(names.map((n) => this.models.get(n).eventsWanted ? api.history(n) : null))
		]).then(([ lists, states, histories ]) => {
			if (!names.length || states.some((s) => s.value || s.failure == 'absent' || s.failure == 'denied'))
				this.answered = Date.now();

			if (Array.isArray(lists))
				this.take(...lists);
			else if (lists?.value)
				this.interfaces = lists.value.interface ?? [];

			names.forEach((n, i) => this.models.has(n) ? this.note(n, states[i], histories[i], begun) : null);

			this.tick();
		}).finally(() => {
			this.running = null;
		});

		return this.running;
	},

	/* Puts one tunnel's answers into its model and its card. */
	note(name, status, history, begun) {
		const model = this.models.get(name), was = model.status, lost = (status.failure == 'late' || status.failure == 'broken') && was;

		/* one missed answer is no news: the last picture stays, and is called old after a while */
		if (lost && Date.now() - this.answered < STALE_MS)
			return;

		model.status = status.value ?? null;
		model.failure = status.failure;
		model.at = (begun + Date.now()) / 2;
		model.iface = this.interfaces ? (this.interfaces.find((i) => i.interface == name) ?? null) : undefined;

		if (history?.value) {
			model.history = history.value.events ?? [];
			model.eventsWanted = false;
		}

		const s = model.status;

		if (s) {
			const mark = [ s.state, s.since, s.last_error?.time, s.last_error?.code, s.reconnects, s.attempt ].join();

			model.eventsWanted ||= (mark !== model.mark);
			model.mark = mark;

			if (s.counters && (s.state == 'up' || s.state == 'holding')) {
				model.samples = series.add(model.samples, model.at, s.counters.rx_bytes, s.counters.tx_bytes, s.rtt_ms?.last);
				store.save(name, model.samples);
			}
		}

		this.cards.get(name).update(model);
	},

	tick() {
		/* where the refresh was switched off, nobody asked */
		const old = poll.active() && Date.now() - this.answered > STALE_MS;

		this.stale.hidden = !old;
		this.cardBox.classList.toggle('sstp-stale', old);

		if (old && !this.stale.firstChild)
			dom.content(this.stale, dialog.notice('warn', _('The router does not answer. What is shown may have changed.'), []));
		else if (!old)
			dom.content(this.stale, []);

		if (!old)
			for (const [ name, c ] of this.cards)
				if (this.models.get(name).at)
					c.tick(this.models.get(name));
	},

	/* Runs a call of a button and shows what went wrong, else what has changed. */
	act(call) {
		return call.then((done) => {
			if (done.failure)
				ui.addNotification(null, E('p', {}, [ api.explain(done) ]), 'danger');

			return this.refresh();
		});
	},

	sure(name) {
		return dialog.confirm(format.fill(_('Disconnect %s?'), name), [
			E('p', {}, [ _('All traffic through the tunnel stops, and the tunnel stays down until it is connected again. If you reach this router through it, you lock yourself out.') ])
		], _('Disconnect'), 'negative important');
	},

	test(name) {
		testdialog.open(name, (anyway) => api.probe(name, {}, anyway), (pin, replace) => api.trust(name, pin, replace)).then(() => this.refresh());
	}
});
