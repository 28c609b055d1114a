// The router and the server behind it, as src/integration/openwrt lets a test move them.
import { request } from 'node:http';

export function control(method, path, body) {
	return new Promise((resolve, reject) => {
		const req = request({ socketPath: process.env.SSTP_LUCI_CONTROL, method, path }, (res) => {
			let text = '';

			res.setEncoding('utf8').on('data', (c) => text += c).on('end', () => (res.statusCode == 200) ? resolve(text) : reject(new Error(text)));
		});

		req.on('error', reject).end(body);
	});
}

export const shell = (script) => control('POST', '/run', script);
export const pause = (ms) => new Promise((done) => setTimeout(done, ms));
export const names = JSON.parse(await control('GET', '/names'));
