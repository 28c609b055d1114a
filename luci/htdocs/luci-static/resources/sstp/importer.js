'use strict';
'require baseclass';
'require sstp.format as format';
'require sstp.pbk as pbk';
'require sstp.routeros as routeros';
'require sstp.softether as softether';

/*
 * Settings of other systems as options of ours. The answer is { format, tunnels, errors }: a tunnel is { name, options,
 * notes }, an error { line, text }. What was understood is given even where something else was not.
 */

const FORMATS = [
	{ name: 'SoftEther VPN Client (.vpn)', parser: softether },
	{ name: 'Windows (.pbk)', parser: pbk },
	{ name: 'MikroTik RouterOS (export)', parser: routeros }
];

const MOST_BYTES = 256 * 1024;

function hasMark(bytes, ...mark) {
	return mark.every((b, i) => bytes[i] === b);
}

return baseclass.extend({
	MOST_BYTES,

	/* The text of a file: UTF-16 or UTF-8 by its mark, else UTF-8, else what old Windows wrote. */
	decode(buffer) {
		const bytes = new Uint8Array(buffer);

		if (hasMark(bytes, 0xff, 0xfe))
			return new TextDecoder('utf-16le').decode(bytes);
		if (hasMark(bytes, 0xfe, 0xff))
			return new TextDecoder('utf-16be').decode(bytes);

		try {
			return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
		}
		catch (e) {
			return new TextDecoder('windows-1252').decode(bytes);
		}
	},

	parse(text) {
		const nothing = (sentence) => ({ format: null, tunnels: [], errors: [ { line: 1, text: sentence } ] });

		if (text.length > MOST_BYTES)
			return nothing(_('The file is larger than 256 KiB: that is no connection setting.'));

		if (text.includes('\0'))
			return nothing(_('This is not a text file.'));

		const known = FORMATS.find((f) => f.parser.recognizes(text));

		if (!known)
			return nothing(format.fill(_('None of the known formats was found: %s.'), FORMATS.map((f) => f.name).join(', ')));

		return { format: known.name, ...known.parser.parse(text) };
	}
});
