/** A third-party backend: a package in another folder, with a validator other than zod. */

import { temporaryFolder, writeFile } from './temporary.ts';

/** `describe` returns the config without secrets, so that tests can read it. */
const ENTRY = (contract: number): string => `
const properties = {
  path: { type: 'string', description: 'where the files lie' },
  host: { type: 'string', description: 'the server', examples: ['example.com'] },
  retries: { type: 'integer', description: 'tries of a request', default: 3 },
  gzip: { type: 'boolean', description: 'compress what is sent' },
  headers: { type: 'object', description: 'sent with each request' },
  token: { type: 'string', writeOnly: true, description: 'who may write' },
  port: { type: 'integer', description: 'of the server' },
};
const types = { integer: 'number' };

export const backend = {
  contract: ${contract},
  scheme: 'http',
  permissions: { write: 'the role uploader' },
  schema: {
    '~standard': {
      version: 1,
      vendor: 'acme',
      validate(input) {
        const issues = Object.entries(input).flatMap(([key, value]) => {
          const { type } = properties[key];
          const wanted = types[type] ?? type;
          if (typeof value === wanted) return [];
          return [{ path: [key], message: 'Expected ' + type + ', got ' + typeof value }];
        });
        if (input.path === undefined) issues.push({ path: ['path'], message: 'Required' });
        return issues.length > 0 ? { issues } : { value: input };
      },
      jsonSchema: {
        input: () => ({ type: 'object', properties, required: ['path'], additionalProperties: false }),
        output: () => ({ type: 'object' }),
      },
    },
  },
  fromURL: (url) => ({
    host: url.host,
    path: url.pathname.slice(1),
    ...Object.fromEntries(url.searchParams),
  }),
  describe({ token, ...config }, path) {
    const shown = { ...config, ...(token === undefined ? {} : { token: typeof token }) };
    return { target: 'http ' + path + ' ' + JSON.stringify(shown) };
  },
  async connect() {
    return { name: 'http', capabilities: {}, replica() {}, async close() {} };
  },
};
`;

export interface PackageOptions {
  readonly contract?: number;
  /** `exports` of its package.json; the code is in `a.js`. */
  readonly exports?: unknown;
}

/** Returns the folder from which to resolve it. */
export function installPackage(
  name: string,
  { contract = 1, exports = { '.': { import: './a.js' } } }: PackageOptions = {},
): string {
  const folder = temporaryFolder();
  const at = `node_modules/${name}`;
  writeFile(folder, `${at}/package.json`, JSON.stringify({ name, type: 'module', exports }));
  writeFile(folder, `${at}/a.js`, ENTRY(contract));
  return folder;
}
