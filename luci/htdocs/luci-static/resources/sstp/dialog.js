'use strict';
'require baseclass';

/*
 * A dialog of our own, above LuCI's: its one modal window already shows the form when a connection is tested from there.
 * The browser's dialog element brings the trapped focus, Escape, and the return of the focus to what opened it.
 */

let count = 0, style = null;

/* The style sheet comes with the first module that shows something. Resolves when it is there, or cannot be had. */
function loadStyle() {
	style ??= new Promise((done) => document.head.appendChild(E('link', {
		'rel': 'stylesheet', 'href': L.resource('sstp/sstp.css'), 'load': done, 'error': done
	})));

	return style;
}

return baseclass.extend({
	loadStyle,

	/* Returns { body, footer, heading, close, closed }; closed is a promise. */
	open(title) {
		loadStyle();

		const id = `sstp-dialog-${++count}`,
		      heading = E('h4', { 'id': id, 'class': 'sstp-dialog-title' }, [ title ]),
		      body = E('div', { 'class': 'sstp-dialog-body' }),
		      footer = E('div', { 'class': 'sstp-dialog-footer' }),
		      node = E('dialog', { 'class': 'sstp-dialog sstp', 'aria-labelledby': id }, [ heading, body, footer ]),
		      closed = new Promise((resolve) => node.addEventListener('close', () => {
			node.remove();
			resolve();
		      }));

		document.body.appendChild(node);
		node.showModal();

		return { node, heading, body, footer, closed, close: () => node.close() };
	},

	button(label, style, click, attrs) {
		return E('button', { 'type': 'button', 'class': `btn cbi-button cbi-button-${style}`, 'click': click, ...attrs }, [ label ]);
	},

	/* A question; resolves to whether it was agreed to. */
	confirm(title, content, label, style) {
		const d = this.open(title);
		let agreed = false;

		d.body.append(...content);
		d.footer.append(
			this.button(_('Cancel'), 'neutral', d.close),
			this.button(label, style, () => {
				agreed = true;
				d.close();
			}));

		return d.closed.then(() => agreed);
	},

	/* The children of a notice: a mark, and beside it a headline with what follows from it. */
	notice(look, title, paragraphs) {
		return [ this.mark(look), E('div', {}, [ E('p', {}, [ E('strong', {}, [ title ]) ]), ...paragraphs ]) ];
	},

	/* A text as nodes, with places where a long fingerprint may be broken. */
	breakable(text) {
		return (/^([0-9A-F]{2}:){8}/.test(text))
			? text.match(/[^:]+:?/g).flatMap((part) => [ part, E('wbr') ]) : [ text ];
	},

	/* A mark with a shape of its own beside its colour. look: ok, failed, warn, busy, off, open. */
	mark(look) {
		const shapes = {
			ok:     'M5 10.5l3.5 3.5L15 6.5',
			failed: 'M6 6l8 8M14 6l-8 8',
			bad:    'M6 6l8 8M14 6l-8 8',
			warn:   'M10 5v6M10 14.2v.1',
			busy:   'M10 4.5a5.5 5.5 0 1 1-5.5 5.5',
			off:    'M5.5 10h9',
			open:   'M10 7.5a2.5 2.5 0 1 1-.01 0'
		};
		const ns = 'http://www.w3.org/2000/svg', svg = document.createElementNS(ns, 'svg'), path = document.createElementNS(ns, 'path');

		svg.setAttribute('viewBox', '0 0 20 20');
		svg.setAttribute('class', `sstp-mark sstp-look-${look}`);
		svg.setAttribute('aria-hidden', 'true');
		path.setAttribute('d', shapes[look] ?? shapes.open);
		svg.appendChild(path);

		return svg;
	}
});
