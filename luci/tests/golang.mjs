// The daemon's sources, which the web interface's lists are held against.
import { readFileSync, readdirSync } from 'node:fs';

// The text of all files of a package of src, without its tests: a test asks for what the package says, not where it stands.
export function goPackage(name) {
	const folder = new URL(`../../src/${name}/`, import.meta.url);

	return readdirSync(folder).filter((f) => f.endsWith('.go') && !f.endsWith('_test.go')).map((f) => readFileSync(new URL(f, folder), 'utf8')).join('\n');
}
