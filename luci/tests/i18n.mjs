// Texts of the web interface: `node luci/tests/i18n.mjs` writes po/templates/sstp.pot as LuCI's i18n-scan.pl does, and brings
// the catalogues to the same texts: translations stay, new texts come in empty, those that are gone go.
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parsePo } from './po.mjs';

const luci = fileURLToPath(new URL('../', import.meta.url));
const key = (e) => `${e.context ?? ''}\u0004${e.msgid}`;
const quote = (s) => JSON.stringify(s);

const TEXT = String.raw`'((?:\\.|[^'\\])*)'`;
const CALLS = new RegExp(String.raw`\b_\(${TEXT}(?:, ${TEXT})?\)|\bN_\([^,]+, ${TEXT}, ${TEXT}\)`, 'g');

// Every use of _ and N_ with literal texts; those that the expression above does not see are counted, to be noticed.
export function extract() {
	const found = new Map();
	const add = (file, line, e) => {
		const known = found.get(key(e)) ?? { ...e, places: [] };

		known.places.push(`luci/${file}:${line}`);
		found.set(key(e), known);
	};
	const literal = (s) => (s === undefined) ? undefined : new Function(`return '${s}'`)();

	for (const file of readdirSync(luci, { recursive: true }).map((f) => f.replaceAll('\\', '/')).sort()) {
		if (file.startsWith('htdocs/') && file.endsWith('.js'))
			readFileSync(luci + file, 'utf8').split('\n').forEach((text, i) => {
				for (const [ , msgid, context, one, many ] of text.matchAll(CALLS))
					add(file, i + 1, { msgid: literal(msgid ?? one), msgid_plural: literal(many), context: literal(context) });

				const calls = (text.match(/(?<![\w.])N?_\(/g) ?? []).length, seen = [ ...text.matchAll(CALLS) ].length;

				if (calls != seen)
					throw new Error(`luci/${file}:${i + 1}: a text that is not a literal cannot be translated`);
			});

		if (/^root\/usr\/share\/(luci\/menu\.d|rpcd\/acl\.d)\/.*\.json$/.test(file))
			readFileSync(luci + file, 'utf8').split('\n').forEach((text, i) => {
				for (const [ , msgid ] of text.matchAll(/"(?:title|description)": ("(?:[^"\\]|\\.)*")/g))
					add(file, i + 1, { msgid: JSON.parse(msgid) });
			});
	}

	return [ ...found.values() ].sort((a, b) => (a.msgid < b.msgid) ? -1 : (a.msgid > b.msgid) ? 1 : 0);
}

export function catalogue(header, entries, texts) {
	return header + entries.map((e) => '\n' + [
		...e.places.map((p) => `#: ${p}`),
		...(e.context ? [ `msgctxt ${quote(e.context)}` ] : []),
		`msgid ${quote(e.msgid)}`,
		...(e.msgid_plural ? [ `msgid_plural ${quote(e.msgid_plural)}`, ...texts(e).map((t, i) => `msgstr[${i}] ${quote(t)}`) ] : [ `msgstr ${quote(texts(e)[0])}` ])
	].join('\n') + '\n').join('');
}

if (process.argv[1] == fileURLToPath(import.meta.url)) {
	const entries = extract(), empty = (e) => e.msgid_plural ? [ '', '' ] : [ '' ];

	writeFileSync(`${luci}po/templates/sstp.pot`, catalogue('msgid ""\nmsgstr "Content-Type: text/plain; charset=UTF-8"\n', entries, empty));

	for (const language of readdirSync(`${luci}po`).filter((l) => l != 'templates')) {
		const path = `${luci}po/${language}/sstp.po`, old = readFileSync(path, 'utf8'), { header, entries: known } = parsePo(old),
		      forms = +(header.match(/nplurals=(\d)/)?.[1] ?? 2), texts = new Map(known.map((e) => [ key({ context: e.msgctxt, msgid: e.msgid }), e.texts ]));

		writeFileSync(path, catalogue(old.slice(0, old.indexOf('\n\n') + 1), entries, (e) => texts.get(key(e)) ?? Array.from({ length: e.msgid_plural ? forms : 1 }, () => '')));
		console.log(`${language}: ${entries.filter((e) => !(texts.get(key(e)) ?? [ '' ]).every((t) => t)).length} of ${entries.length} texts without translation`);
	}
}
