// Serves our files, the stand-in for LuCI's runtime, translations as JSON, and a router that answers as it is told.
import { createServer } from 'node:http';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { join, normalize } from 'node:path';
import { parsePo } from '../po.mjs';

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const TYPES = { js: 'text/javascript', css: 'text/css', html: 'text/html', svg: 'image/svg+xml', json: 'application/json' };

// What a page under a strict policy may do: nothing from elsewhere, no inline handlers. The stand-in's module loader needs
// eval, as LuCI's does.
const POLICY = "default-src 'none'; script-src 'self' 'unsafe-eval'; style-src 'self'; img-src 'self'; connect-src 'self'";

export class Router {
	constructor() {
		this.reset();
	}

	// answers: 'object.method' to a value, a number (ubus status), a function of the arguments, or a promise of one of them.
	reset(answers = {}) {
		Object.assign(this, { answers, calls: [], requests: 0, dead: false, delay: 0 });
	}

	async answer({ id, params: [ , object, method, args ] }) {
		const name = `${object}.${method}`;
		let value = this.answers[name];

		this.calls.push({ name, args });

		if (typeof value == 'function')
			value = value(args);
		value = await value;

		if (value === undefined)
			return { jsonrpc: '2.0', id, error: { code: -32000, message: 'Object not found' } };
		if (value instanceof Error)
			return { jsonrpc: '2.0', id, error: { code: value.code, message: value.message } };

		return { jsonrpc: '2.0', id, result: (typeof value == 'number') ? [ value ] : [ 0, value ] };
	}

	called(name) {
		return this.calls.filter((c) => c.name == name);
	}
}

export async function serve(router) {
	const server = createServer(async (req, res) => {
		const path = normalize(decodeURIComponent(new URL(req.url, 'http://x').pathname));
		const send = (status, type, body) => {
			res.writeHead(status, { 'Content-Type': `${type}; charset=utf-8`, 'Content-Security-Policy': POLICY, 'Cache-Control': (path == '/ubus') ? 'no-store' : 'max-age=600' });
			res.end(body);
		};

		try {
			if (path == '/ubus') {
				let body = '';

				for await (const chunk of req)
					body += chunk;

				router.requests++;
				if (router.dead)
					return res.destroy();
				if (router.delay)
					await new Promise((done) => setTimeout(done, router.delay));

				const message = JSON.parse(body), reply = Array.isArray(message) ? await Promise.all(message.map((m) => router.answer(m))) : await router.answer(message);

				return send(200, TYPES.json, JSON.stringify(reply));
			}

			if (path.startsWith('/language/'))
				return send(200, TYPES.json, JSON.stringify(parsePo(await readFile(here(`../../po/${path.slice(10)}/sstp.po`), 'utf8')).table));

			const file = path.startsWith('/luci-static/') ? join(here('../../htdocs'), path) : join(here('.'), path == '/' ? 'index.html' : path);

			send(200, TYPES[file.split('.').pop()] ?? 'text/plain', await readFile(file));
		}
		catch (e) {
			send(404, 'text/plain', String(e.message));
		}
	});

	await new Promise((done) => server.listen(0, '127.0.0.1', done));
	return { url: `http://127.0.0.1:${server.address().port}`, close: () => server.close() };
}
