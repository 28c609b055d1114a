import { test } from 'node:test';
import assert from 'node:assert/strict';
import { isOurs } from '../faults.mjs';

const at = (...files) => ({ message: 'm', stack: [ 'TypeError: m', ...files.map((f) => `    at f (http://192.168.1.1/luci-static/resources/${f}?v=1:10:20)`) ].join('\n') });

test('a fault of LuCI\'s login page is LuCI\'s', () => {
	assert.equal(isOurs(at('luci.js', 'view/bootstrap/sysauth.js'), false), false);
	assert.equal(isOurs({ message: 'without a stack' }, false), false);
});

test('a fault with a file of ours in its stack is ours, wherever it shows', () => {
	for (const file of [ 'sstp/dialog.js', 'protocol/sstp.js', 'view/sstp/status.js', 'view/status/include/35_sstp.js' ])
		assert.equal(isOurs(at('luci.js', file), false), true, file);
});

test('after the login every fault counts', () => {
	assert.equal(isOurs(at('form.js'), true), true);
});
