/*
 * A stand-in for LuCI's runtime: as much of it as our modules use, written from its documentation, small enough to be seen
 * through. Like LuCI's, its E() takes a bare string as markup, so that a careless text of a server shows.
 */
'use strict';

/* --- texts --- */

window.TR = {};
window._ = (text, context) => TR[context ? `${text}\u0001${context}` : text] ?? text;
window.N_ = (n, one, many) => TR[one] ? TR[one][TR.plural(n)] : (n == 1) ? one : many;

/* --- nodes --- */

const dom = {
	append(node, children) {
		if (Array.isArray(children))
			children.filter((c) => c !== null && c !== undefined).forEach((c) => node.append((c instanceof Node) ? c : document.createTextNode(c)));
		else if (children instanceof Node)
			node.append(children);
		else if (children !== null && children !== undefined)
			node.innerHTML = String(children);
		return node.lastChild;
	},

	content(node, children) {
		node.replaceChildren();
		return dom.append(node, children);
	}
};

window.E = (tag, attrs, children) => {
	const node = (tag instanceof Node) ? tag : Array.isArray(tag) ? document.createDocumentFragment() : document.createElement(tag);

	if (Array.isArray(tag))
		dom.append(node, tag.map((t) => (t instanceof Node) ? t : document.createElement(t)));

	for (const [ name, value ] of Object.entries(attrs ?? {}))
		if (typeof value == 'function')
			node.addEventListener(name, value);
		else if (value !== null && value !== undefined)
			node.setAttribute(name, value);

	dom.append(node, children);
	return node;
};

/* --- the router --- */

let requestId = 1, queue = null;

function post(url, body, timeout) {
	return new Promise((resolve, reject) => {
		const xhr = new XMLHttpRequest();

		xhr.open('POST', url);
		xhr.timeout = timeout;
		xhr.setRequestHeader('Content-Type', 'application/json');
		xhr.onload = () => resolve({ ok: xhr.status == 200, status: xhr.status, statusText: xhr.statusText, json: () => JSON.parse(xhr.responseText) });
		xhr.ontimeout = () => reject(new Error('XHR request timed out'));
		xhr.onerror = () => reject(new Error('XHR request failed'));
		xhr.send(JSON.stringify(body));
	});
}

/* Calls of one moment go out as one request. */
function flush() {
	const calls = queue;

	queue = null;
	post('/ubus', calls.map((c) => c.message), L.env.rpctimeout * 1000).then((reply) => {
		if (!reply.ok)
			throw new Error(`RPC call failed with HTTP error ${reply.status}: ${reply.statusText}`);

		reply.json().forEach((answer, i) => {
			if (answer.error)
				calls[i].reject(new Error(`RPC call to ${calls[i].what} failed with error ${answer.error.code}: ${answer.error.message}`));
			else
				calls[i].resolve((answer.result.length > 1) ? answer.result[1] : answer.result[0]);
		});
	}).catch((error) => calls.forEach((c) => c.reject(error)));
}

const rpc = {
	declare: ({ object, method, params }) => (...args) => new Promise((resolve, reject) => {
		const named = Object.fromEntries((params ?? []).map((name, i) => [ name, args[i] ])),
		      message = { jsonrpc: '2.0', id: requestId++, method: 'call', params: [ 'session', object, method, named ] };

		if (!queue) {
			queue = [];
			requestAnimationFrame(flush);
		}

		queue.push({ what: `${object}/${method}`, message, resolve, reject });
	}),
	getStatusText: (code) => `ubus code ${code}`,
	getSessionID: () => 'session',
	getBaseURL: () => '/ubus'
};

const request = { post: (url, body, options) => post(url, body, options.timeout) };

/* --- time --- */

const poll = {
	queue: [],
	paused: false,
	active: () => !poll.paused,
	add(fn, seconds) {
		const entry = { fn, seconds, free: true };

		poll.queue.push(entry);
	},
	tick: 0,
	step() {
		if (poll.paused)
			return;

		for (const e of poll.queue)
			if (poll.tick % e.seconds == 0 && e.free) {
				e.free = false;
				Promise.resolve(e.fn()).finally(() => e.free = true);
			}

		poll.tick++;
	}
};

/* --- the page --- */

window.L = {
	env: { rpctimeout: 20 },
	resource: (path) => `/luci-static/resources/${path}`,
	url: (...parts) => `/cgi-bin/luci/${parts.join('/')}`,
	toArray: (v) => (v === null || v === undefined || v === '') ? [] : Array.isArray(v) ? v : String(v).trim().split(/\s+/),
	hasViewPermission: () => !new URLSearchParams(location.search).has('readonly')
};

const ui = {
	addNotification(title, node, ...classes) {
		const box = E('div', { 'class': [ 'alert-message', ...classes ].join(' ') }, [ node ]);

		document.querySelector('#maincontent').prepend(box);
		return box;
	}
};

const view = { extend: (members) => members };
const baseclass = { extend: (members) => members };

/* --- the form --- */

class Option {
	constructor(section, option, title, description) {
		Object.assign(this, { section, map: section.map, option, title, description, rmempty: true, deps: [], choices: [] });
	}

	value(key, label) {
		this.choices.push([ key, label ?? key ]);
	}

	/* As LuCI loads: what it gives is what the field shows. */
	async prepare() {
		this.loaded = await this.load(this.section.section);
	}

	load(sid) {
		return uci.get('network', sid, this.option);
	}

	depends(name, value) {
		this.deps.push((typeof name == 'object') ? name : { [name]: value });
	}

	isActive() {
		return !this.deps.length || this.deps.some((dep) => Object.entries(dep).every(([ name, value ]) => {
			const other = this.section.children.find((c) => c.option == name);

			return other.isActive() && other.formvalue() === value;
		}));
	}

	cfgvalue() {
		return this.loaded;
	}

	write(sid, value) {
		uci.set('network', sid, this.option, value);
	}

	remove(sid) {
		uci.unset('network', sid, this.option);
	}

	validate() {
		return true;
	}

	/* What is typed, checked as a whole; LuCI's lists and files are checked by the item alone. */
	isValid() {
		return this.getValidationError() === '';
	}

	getValidationError() {
		const ok = this.validate(this.section.section, this.formvalue() ?? '');

		return (ok === true) ? '' : ok;
	}

	getUIElement() {
		return {
			node: this.input,
			setValue: (v) => {
				this.set(v);
				this.changed();
			},
			getValue: () => this.formvalue(),
			triggerValidation: () => this.triggerValidation()
		};
	}

	triggerValidation() {
		const error = this.isActive() ? this.getValidationError() : '';

		this.errorNode.textContent = error;
		this.node.classList.toggle('cbi-value-error', error !== '');
		return error === '';
	}

	changed() {
		this.map.checkDepends();
		this.triggerValidation();
		this.onchange?.({}, this.section.section, this.formvalue());
	}

	render() {
		const id = `widget.${this.section.section}.${this.option}`;

		this.errorNode = E('div', { 'class': 'sstp-test-error' });
		this.node = E('div', { 'class': 'cbi-value', 'data-name': this.option }, [
			this.title ? E('label', { 'class': 'cbi-value-title', 'for': id }, [ this.title ]) : '',
			E('div', { 'class': 'cbi-value-field' }, [
				this.renderWidget(this.section.section, 0, this.cfgvalue() ?? this.default, id), this.errorNode,
				this.description ? E('div', { 'class': 'cbi-value-description' }, [ this.description ]) : ''
			])
		]);
		return this.node;
	}

	/* As LuCI saves: nothing where the option is hidden, empty, or as it was. */
	parse(sid) {
		if (!this.isActive())
			return this.remove(sid);

		if (!this.isValid(sid))
			throw new Error(`${this.title}: ${this.getValidationError(sid)}`);

		const v = this.formvalue();

		if (v === null || v === undefined || v == '') {
			if (!this.rmempty)
				throw new Error(`${this.title} must not be empty.`);
			this.remove(sid);
		}
		else if (JSON.stringify(v) != JSON.stringify(this.cfgvalue())) {
			this.write(sid, v);
		}
	}
}

class Value extends Option {
	renderWidget(sid, index, value, id) {
		if (this.choices.length)
			return E('span', {}, [ this.renderInput(value, id, `${id}.choices`), E('datalist', { 'id': `${id}.choices` }, this.choices.map(([ key, label ]) => E('option', { 'value': key }, [ label ]))) ]);

		return this.renderInput(value, id);
	}

	renderInput(value, id, list) {
		return this.input = E('input', { 'id': id, 'type': this.password ? 'password' : 'text', ...(list ? { 'list': list } : {}), 'placeholder': this.placeholder, 'value': value ?? '', 'input': () => this.changed() });
	}

	formvalue() {
		return this.input.value;
	}

	set(v) {
		this.input.value = v;
	}
}

class FileUpload extends Value {
	validate() {
		return true;
	}
}

class Flag extends Option {
	enabled = '1';
	disabled = '0';

	renderWidget(sid, index, value, id) {
		this.input = E('input', { 'id': id, 'type': 'checkbox', 'change': () => this.changed() });
		this.set(value ?? this.default ?? '0');
		return this.input;
	}

	formvalue() {
		return this.input.checked ? '1' : '0';
	}

	set(v) {
		this.input.checked = (v == '1');
	}

	parse(sid) {
		if (this.isActive() && this.formvalue() == this.default)
			this.remove(sid);
		else
			super.parse(sid);
	}
}

class ListValue extends Option {
	renderWidget(sid, index, value, id) {
		this.input = E('select', { 'id': id, 'change': () => this.changed() }, this.choices.map(([ key, label ]) => E('option', { 'value': key }, [ label ])));
		this.input.value = value;
		return this.input;
	}

	formvalue() {
		return this.input.value;
	}

	set(v) {
		this.input.value = v;
	}
}

class DynamicList extends Option {
	renderWidget(sid, index, value, id) {
		this.items = L.toArray(value);
		this.list = E('ul', {});
		this.input = E('input', { 'id': id, 'type': 'text', 'placeholder': this.placeholder, 'input': () => this.check(), 'change': () => {
			if (this.check() && this.input.value !== '') {
				this.set([ ...this.items, this.input.value ]);
				this.input.value = '';
				this.changed();
			}
		} });
		this.show();
		return E('div', {}, [ this.list, this.input ]);
	}

	check() {
		const ok = this.validate(this.section.section, this.input.value);

		this.errorNode.textContent = (ok === true) ? '' : ok;
		return ok === true;
	}

	getValidationError() {
		return '';
	}

	show() {
		dom.content(this.list, this.items.map((item) => E('li', {}, [ item, E('button', { 'type': 'button', 'click': () => {
			this.set(this.items.filter((i) => i != item));
			this.changed();
		} }, [ '\u00d7' ]) ])));
	}

	formvalue() {
		return this.items;
	}

	set(v) {
		this.items = L.toArray(v);
		this.show();
	}
}

class MultiValue extends DynamicList {
	renderWidget(sid, index, value, id) {
		this.list = E('div', { 'id': id }, this.choices.map(([ key, label ]) => E('label', {}, [
			E('input', { 'type': 'checkbox', 'value': key, ...(L.toArray(value).includes(key) ? { 'checked': '' } : {}), 'change': () => this.changed() }), label
		])));

		return this.input = this.list;
	}

	formvalue() {
		return [ ...this.list.querySelectorAll('input:checked') ].map((box) => box.value);
	}
}

class Button extends Option {
	renderWidget(sid) {
		return E('button', { 'type': 'button', 'class': `cbi-button cbi-button-${this.inputstyle}`, 'click': (ev) => this.onclick(ev, sid) }, [ this.inputtitle ]);
	}

	formvalue() {
		return null;
	}

	parse() {}
}

class DummyValue extends Option {
	renderWidget(sid, index, value) {
		return E('output', {}, [ value ]);
	}

	formvalue() {
		return null;
	}

	parse() {}
}

const form = { Value, FileUpload, Flag, ListValue, DynamicList, MultiValue, Button, DummyValue };

class Section {
	constructor(sid) {
		this.section = sid;
		this.children = [];
		this.tabs = {};
		this.map = { checkDepends: () => this.children.forEach((c) => {
			if (c.node)
				c.node.hidden = !c.isActive();
		}) };
	}

	tab(name, title, description) {
		this.tabs[name] = { title, description, children: [] };
	}

	taboption(tab, Type, name, title, description) {
		const o = new Type(this, name, title, description);

		this.children.push(o);
		this.tabs[tab].children.push(o);
		return o;
	}

	/* As LuCI saves a section: all its options, and what they do later is waited for. */
	async parse() {
		await Promise.all(this.children.map(async (o) => o.parse(this.section)));
	}

	async render() {
		for (const o of this.children)
			await o.prepare();

		const node = E('div', { 'class': 'cbi-section' }, Object.entries(this.tabs).map(([ name, tab ]) => E('fieldset', { 'data-tab': name }, [
			E('legend', {}, [ tab.title ]), tab.description ? E('p', {}, [ tab.description ]) : '',
			...tab.children.map((o) => o.render())
		])));

		this.map.checkDepends();
		return node;
	}
}

/* --- settings and network --- */

/*
 * As LuCI's uci: changes stay in the page until save() sends them to the router. Like there, a deleted option is gone for get()
 * but not for sections(), and a new order is not sent together with deletions.
 */
const uci = {
	router: {},   // configuration to sections, as the router has them
	local: {},    // the same in the page
	deleted: {},  // configurations with deletions that are not saved
	ordered: {},  // configurations in a new order that is not saved

	get values() {
		const options = (s) => Object.fromEntries(Object.entries(s).filter(([ k, v ]) => k[0] != '.' && v !== undefined));

		return Object.fromEntries((uci.local.network ?? []).map((s) => [ s['.name'], options(s) ]));
	},

	async load(configs) {
		for (const config of [].concat(configs)) {
			if (!uci.router[config])
				throw new Error('uci/get failed with ubus code 4: Resource not found');

			uci.local[config] ??= structuredClone(uci.router[config]);
		}
	},

	section: (config, sid) => uci.local[config]?.find((s) => s['.name'] == sid),
	get: (config, sid, option) => uci.section(config, sid)?.[option],
	sections: (config) => (uci.local[config] ?? []).map((s) => ({ ...s, ...s['.before'] })),

	set(config, sid, option, value) {
		const s = uci.section(config, sid);

		if (s)
			s[option] = value;
	},

	unset(config, sid, option) {
		const s = uci.section(config, sid);

		if (s?.[option] === undefined)
			return;

		s['.before'] = { ...s['.before'], [option]: s[option] };
		delete s[option];
		uci.deleted[config] = true;
	},

	add(config, type, name) {
		uci.local[config].push({ '.type': type, '.name': name });
		return name;
	},

	remove(config, sid) {
		uci.local[config] = uci.local[config].filter((s) => s['.name'] != sid);
		uci.deleted[config] = true;
	},

	move(config, sid, other, after) {
		const list = uci.local[config], moved = uci.section(config, sid);

		list.splice(list.indexOf(moved), 1);
		list.splice(list.indexOf(uci.section(config, other)) + (after ? 1 : 0), 0, moved);
		uci.ordered[config] = true;
	},

	async save() {
		for (const config in uci.local) {
			const local = uci.local[config].map((s) => Object.fromEntries(Object.entries(s).filter(([ k ]) => k != '.before'))), before = uci.router[config].map((s) => s['.name']),
			      place = (s) => before.includes(s['.name']) ? before.indexOf(s['.name']) : before.length;

			if (!uci.ordered[config] || uci.deleted[config])
				local.sort((a, b) => place(a) - place(b));

			uci.router[config] = local;
			uci.local[config] = structuredClone(local);
		}

		uci.deleted = {};
		uci.ordered = {};
	}
};

const network = {
	errors: {},
	registerPatternVirtual() {},
	registerErrorCode: (code, text) => { network.errors[code] = text; },
	registerProtocol: (name, members) => ({ ...members, name }),
	getIfnameOf: (name) => name,
	getHostHints: async () => ({ getMACHints: () => [ [ 'AA:BB:CC:00:11:22', 'console' ], [ 'AA:BB:CC:00:11:33', null ] ] })
};

const widgets = { NetworkSelect: class extends Value {} };

/* --- modules --- */

const builtin = { baseclass, dom, form, network, poll, request, rpc, 'tools.widgets': widgets, uci, ui, view }, modules = {};

async function load(name) {
	if (builtin[name])
		return builtin[name];

	return modules[name] ??= (async () => {
		const source = await (await fetch(L.resource(`${name.replaceAll('.', '/')}.js`))).text(),
		      needs = [ ...source.matchAll(/'require ([^' ]+)(?: as ([^' ]+))?';/g) ].map(([ , module, as ]) => [ as ?? module.split('.').pop(), module ]),
		      values = await Promise.all(needs.map(([ , module ]) => load(module)));

		return new Function(...needs.map(([ as ]) => as), `${source}\n//# sourceURL=${name}.js`)(...values);
	})();
}

window.standin = { load, poll, uci, network, Section, form };

/* Shows what the address asks for: ?view=sstp.status, ?include=35_sstp, ?form=NAME&values=JSON. */
window.addEventListener('DOMContentLoaded', async () => {
	const wanted = new URLSearchParams(location.search), main = document.querySelector('#maincontent');

	if (wanted.has('language')) {
		window.TR = await (await fetch(`/language/${wanted.get('language')}`)).json();
		window.TR.plural = new Function('n', `return +(${window.TR.plural})`);
		document.documentElement.lang = wanted.get('language');
	}

	if (wanted.has('view')) {
		const v = await load(`view.${wanted.get('view')}`);

		main.append(await v.render(await v.load()));
	}
	else if (wanted.has('include')) {
		const include = await load(`view.status.include.${wanted.get('include')}`), step = async () => dom.content(main, [ include.render(await include.load()) ]);

		await step();
		poll.add(step, 5);
	}
	else if (wanted.has('form')) {
		const sid = wanted.get('form'), s = new Section(sid), protocol = await load('protocol.sstp');

		uci.router.network = JSON.parse(wanted.get('network') ?? '[]');

		if (!uci.router.network.some((s) => s['.name'] == sid))
			uci.router.network.push({ '.type': 'interface', '.name': sid, ...JSON.parse(wanted.get('values') ?? '{}') });

		if (wanted.has('firewall'))
			uci.router.firewall = JSON.parse(wanted.get('firewall'));
		await uci.load(Object.keys(uci.router));

		s.tab('general', 'General');
		s.tab('advanced', 'Advanced');
		Object.assign(Object.create(protocol), { sid }).renderFormOptions(s);

		/* what LuCI's interface editor adds by itself */
		if (wanted.has('zone')) {
			const zone = s.taboption('advanced', Value, '_zone', 'Firewall zone');

			zone.load = async () => wanted.get('zone');
			zone.write = (at, name) => { uci.local.firewall.filter((f) => f['.type'] == 'zone').forEach((f) => { f.network = L.toArray(f.network).filter((n) => n != sid).concat(f.name == name ? sid : []); }); };
			zone.remove = () => zone.write(sid, '');
		}

		for (const name of [ 'defaultroute', 'peerdns' ])
			s.taboption('advanced', Flag, name, name).default = '1';
		s.taboption('advanced', DynamicList, 'dns', 'dns').depends('peerdns', '0');
		s.taboption('advanced', Value, 'metric', 'metric');

		main.append(await s.render(), E('button', { 'id': 'save', 'type': 'button', 'click': async () => {
			const out = document.querySelector('#saved');

			out.textContent = '';

			try {
				await s.parse();
				await uci.save();
				out.textContent = JSON.stringify(uci.values[sid]);
			}
			catch (e) {
				out.textContent = `refused: ${e.message}`;
			}
		} }, [ 'Save' ]), E('output', { 'id': 'saved' }));
		standin.section = s;
	}

	document.body.dataset.ready = '';
	poll.step();
	setInterval(poll.step, 1000);
});
