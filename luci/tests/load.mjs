// Loads LuCI modules into Node as LuCI's runtime loads them into a browser: a file is the body of a function that gets what
// its 'require' lines name, and returns a class made by baseclass.extend.
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

export const resources = fileURLToPath(new URL('../htdocs/luci-static/resources/', import.meta.url));

const loaded = new Map();
const baseclass = { extend: (members) => members };

export function load(name) {
	if (name == 'baseclass')
		return baseclass;

	if (!loaded.has(name)) {
		const source = readFileSync(resources + name.replaceAll('.', '/') + '.js', 'utf8');
		const needs = [ ...source.matchAll(/'require ([^' ]+)(?: as ([^' ]+))?';/g) ]
			.map(([ , module, as ]) => [ as ?? module.split('.').pop(), load(module) ]);

		loaded.set(name, new Function('_', 'N_', ...needs.map(([ as ]) => as), source)(
			(text) => text, (n, one, many) => (n == 1) ? one : many, ...needs.map(([ , module ]) => module)));
	}

	return loaded.get(name);
}
