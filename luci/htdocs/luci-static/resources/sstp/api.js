'use strict';
'require baseclass';
'require request';
'require rpc';

/*
 * The calls to the router. Each resolves to { value } or to { failure, text }, so that one that fails takes no other with
 * it. failure: absent (no such object, or a plugin that does not start: not running or not installed), denied, late (no answer in time) or broken.
 */

const UBUS_FAILURES = { 2: 'broken', 3: 'absent', 4: 'absent', 5: 'absent', 6: 'denied', 7: 'late', 10: 'absent' };

/* JSON-RPC codes of uhttpd's ubus module and of LuCI's dispatcher. */
const RPC_FAILURES = { '-32000': 'absent', '-32001': 'denied', '-32002': 'denied', '-32003': 'late' };

/* A probe may take its 25 seconds, longer than LuCI waits for anything else. */
const PROBE_TIMEOUT_MS = 40 * 1000;

function fromCode(code) {
	return { failure: UBUS_FAILURES[code] ?? 'broken', text: rpc.getStatusText(code) };
}

function fromError(error) {
	const text = String(error?.message ?? error),
	      code = text.match(/failed with (?:error|ubus code) (-?[0-9]+)/);

	if (code)
		return { failure: RPC_FAILURES[code[1]] ?? UBUS_FAILURES[code[1]] ?? 'broken', text };

	return { failure: /time/i.test(text) ? 'late' : 'broken', text };
}

/* An ubus call without a reply body and one that failed both come as a number: 0 is success. */
function settle(promise) {
	return promise.then((reply) => {
		if (typeof reply == 'number')
			return (reply == 0) ? { value: {} } : fromCode(reply);

		return (reply !== null && typeof reply == 'object') ? { value: reply } : { failure: 'broken', text: String(reply) };
	}, fromError);
}

function declare(object, method, params) {
	const call = rpc.declare({ object, method, params });

	return (...args) => settle(call(...args));
}

/* One call outside of LuCI's queue and with its own patience. */
function slowCall(object, method, args) {
	const message = { jsonrpc: '2.0', id: 1, method: 'call', params: [ rpc.getSessionID(), object, method, args ] };

	return settle(request.post(rpc.getBaseURL(), message, { timeout: PROBE_TIMEOUT_MS, nobatch: true, credentials: true }).then((reply) => {
		if (!reply.ok)
			throw new Error(`HTTP ${reply.status} ${reply.statusText}`);

		const answer = reply.json();

		if (answer?.error)
			throw new Error(`failed with error ${answer.error.code}: ${answer.error.message}`);

		return answer.result[1] ?? answer.result[0];
	}));
}

return baseclass.extend({
	/* What is configured, without secrets: { version, tunnels: [ { interface, disabled, auto, server, verify } ] }. */
	tunnels: declare('sstp', 'tunnels'),

	/* The protocols that the network service knows. */
	handlers: declare('network', 'get_proto_handlers'),

	/* Every interface as the network service sees it: { interface: [ ... ] }. */
	interfaces: declare('network.interface', 'dump'),

	connect: declare('network.interface', 'up', [ 'interface' ]),
	disconnect: declare('network.interface', 'down', [ 'interface' ]),

	status: (name) => declare(`sstp.${name}`, 'status')(),
	history: (name) => declare(`sstp.${name}`, 'history')(),
	reconnect: (name) => declare(`sstp.${name}`, 'reconnect')(),

	/*
	 * Goes through a call stage by stage; options go over those of the interface. Without anyway it does not log in where
	 * that may end the call of a running tunnel.
	 */
	probe: (name, options, anyway) => slowCall('sstp', 'probe', { interface: name, options, anyway: anyway == true }),

	trust: (name, fingerprint, replace) => slowCall('sstp', 'trust', { interface: name, fingerprint, replace }),

	/* A sentence for people. */
	explain({ failure, text }) {
		switch (failure) {
		case 'absent': return _('The SSTP service of the router does not answer. Is the package sstp installed?');
		case 'denied': return _('Your account on the router is not allowed to do this.');
		case 'late':   return _('The router did not answer in time.');
		default:       return text || _('The router gave no usable answer.');
		}
	}
});
