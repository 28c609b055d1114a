// Reads a gettext catalogue. entries: { id, plural, context, texts }; table: what the stand-in's _() and N_() look up.
export function parsePo(text) {
	const entries = [];
	let entry = null, key = null;

	for (const line of text.split('\n')) {
		const m = line.match(/^(msgctxt|msgid_plural|msgid|msgstr)(?:\[(\d)\])? "(.*)"$/), more = line.match(/^"(.*)"$/);

		if (m && (m[1] == 'msgctxt' || (m[1] == 'msgid' && key != 'msgctxt')))
			entries.push(entry = { texts: [] });

		if (m) {
			key = m[1];
			entry.index = +(m[2] ?? 0);
		}

		if (!m && !more)
			continue;

		const value = JSON.parse(`"${(m ? m[3] : more[1])}"`);

		if (key == 'msgstr')
			entry.texts[entry.index] = (entry.texts[entry.index] ?? '') + value;
		else
			entry[key] = (entry[key] ?? '') + value;
	}

	const header = entries.find((e) => e.msgid === '')?.texts[0] ?? '';
	const table = { plural: header.match(/plural=([^;]*);/)?.[1] ?? 'n != 1' };

	for (const e of entries)
		if (e.msgid && e.texts[0])
			table[e.msgctxt ? `${e.msgid}\u0001${e.msgctxt}` : e.msgid] = e.msgid_plural ? e.texts : e.texts[0];

	return { header, entries: entries.filter((e) => e.msgid), table };
}
