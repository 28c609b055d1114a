import { test } from 'node:test';
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { extract } from '../i18n.mjs';
import { parsePo } from '../po.mjs';

const LANGUAGES = [ 'de', 'es', 'ru', 'zh_Hans' ];
const po = (path) => parsePo(readFileSync(new URL(`../../po/${path}`, import.meta.url), 'utf8'));
const key = (e) => [ e.context ?? e.msgctxt, e.msgid, e.msgid_plural ].join('|');
const gaps = (text) => text.match(/%[s1-9]/g)?.sort().join() ?? '';

test('the template holds every text of the sources, and no other (node luci/tests/i18n.mjs writes it)', () => {
	assert.deepEqual(po('templates/sstp.pot').entries.map(key), extract().map(key));
});

for (const language of LANGUAGES)
	test(`${language} is complete`, () => {
		const { header, entries } = po(`${language}/sstp.po`), forms = +header.match(/nplurals=(\d)/)[1];

		assert.deepEqual(entries.map(key), extract().map(key));

		for (const e of entries) {
			assert.equal(e.texts.length, e.msgid_plural ? forms : 1, e.msgid);

			e.texts.forEach((text, i) => {
				assert.ok(text, `"${e.msgid}" has no translation`);
				assert.ok(gaps(text) == gaps(e.msgid_plural ?? e.msgid) || (i == 0 && gaps(text) == gaps(e.msgid)), `"${text}" has other gaps than "${e.msgid}"`);
				assert.doesNotMatch(text, /^\s|\s$|[<>]/, `"${text}"`);
			});
		}
	});
