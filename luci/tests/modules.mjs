// Finds npm modules where ./run installs them: outside of the sources.
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';

export const require = createRequire(fileURLToPath(new URL('../../build/luci-tests/', import.meta.url)));
