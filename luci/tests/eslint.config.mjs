// LuCI's own rules (openwrt/luci, eslint.config.mjs) for what a router gets, and two of ours: markup is never made of texts.
import { require } from './modules.mjs';

const js = require('@eslint/js'), json = require('@eslint/json'), globals = require('globals');
const readonly = (...names) => Object.fromEntries(names.map((n) => [ n, 'readonly' ]));

const rules = {
	...js.configs.recommended.rules,
	'strict': 0,
	'no-prototype-builtins': 0,
	'no-empty': 0,
	'no-undef': 'warn',
	'no-unused-vars': [ 'off', { 'caughtErrors': 'none' } ],
	'no-regex-spaces': 0,
	'no-control-regex': 0
};

const ours = {
	'no-restricted-syntax': [ 'error',
		{ selector: 'CallExpression[callee.name="E"] > :nth-child(3):not(ArrayExpression):not(CallExpression[callee.property.name=/^(map|flatMap|filter)$/]):not(ConditionalExpression)', message: 'Give E() its children as a list: a bare string is taken as markup.' },
		{ selector: 'MemberExpression[property.name=/^(innerHTML|outerHTML|insertAdjacentHTML)$/]', message: 'Texts become text nodes.' }
	]
};

export default [
	{
		files: [ '**/htdocs/**/*.js' ],
		linterOptions: { reportUnusedDisableDirectives: 'off' },
		languageOptions: {
			sourceType: 'script',
			ecmaVersion: 2026,
			globals: { ...globals.browser, ...readonly('_', 'N_', 'L', 'E', 'TR', 'baseclass', 'dom', 'firewall', 'form', 'fs', 'network', 'poll', 'request', 'rpc', 'session', 'uci', 'ui', 'validation', 'view', 'widgets') },
			parserOptions: { ecmaFeatures: { globalReturn: true } }
		},
		rules: { ...rules, ...ours, 'no-undef': 'off' }
	},
	{
		files: [ '**/htdocs/**/*.js' ],
		plugins: { ours: { rules: { 'no-undef': undeclared() } } },
		rules: { 'ours/no-undef': 'error' }
	},
	{
		files: [ '**/*.json' ],
		ignores: [ '**/package-lock.json' ],
		plugins: { json: json.default ?? json },
		language: 'json/json',
		rules: { 'json/no-duplicate-keys': 'error', 'json/no-empty-keys': 'error' }
	},
	{
		files: [ '**/tests/**/*.mjs', '**/tests/standin/*.js' ],
		languageOptions: { ecmaVersion: 2026, globals: { ...globals.node, ...globals.browser, ...readonly('_', 'E', 'L', 'TR', 'standin') } },
		rules: js.configs.recommended.rules
	}
];

// no-undef, but with the names that a module's 'require ... as name' lines declare; LuCI's list holds only its own.
function undeclared() {
	return {
		create(context) {
			return {
				Program() {
					const source = context.sourceCode, names = [ ...source.text.matchAll(/'require ([^' ]+)(?: as ([^' ]+))?';/g) ].map(([ , module, as ]) => as ?? module.split('.').pop());

					for (const ref of source.scopeManager.globalScope.through)
						if (!names.includes(ref.identifier.name))
							context.report({ node: ref.identifier, message: `${ref.identifier.name} is not defined` });
				}
			};
		}
	};
}
