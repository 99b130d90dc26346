import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, test } from 'vitest';
import { loadBackend, splitURL } from '../src/load-backend.ts';
import { findPackageEntry, resolveExports } from '../src/package-entry.ts';
import { sluice } from './support/shell.ts';
import { temporaryFolder, writeFile } from './support/temporary.ts';

/** A stranger's backend: by import conditions only, in a folder that is not ours. */
function installPackage(name: string, contract = 1): string {
  const folder = temporaryFolder();
  const at = `node_modules/${name}`;
  writeFile(
    folder,
    `${at}/package.json`,
    JSON.stringify({ name, type: 'module', exports: { '.': { import: './lib/entry.js' } } }),
  );
  writeFile(
    folder,
    `${at}/lib/entry.js`,
    `export const backend = {
  contract: ${contract},
  scheme: 'http',
  parse(input) {
    const { url, path, ...rest } = input;
    return { config: { url, ...rest }, path: path ?? 'p' };
  },
  fromURL: (url) => ({ url: url.href }),
  async connect(config) { return { name: config.url, capabilities: {}, replica() {}, async close() {} }; },
};\n`,
  );
  return folder;
}

test.each([
  ['file', 'file'],
  ['s3', 's3'],
  ['gs', 'gs'],
  ['gcs', 'gs'],
  ['abs', 'abs'],
  ['sftp', 'sftp'],
])('%s is ours', async (type, scheme) => {
  expect(await loadBackend(type, temporaryFolder())).toMatchObject({ scheme, contract: 1 });
});

test('a package is found from the folder of the configuration', async () => {
  const folder = installPackage('@acme/sluice-http');
  expect(await loadBackend('@acme/sluice-http', folder)).toMatchObject({ scheme: 'http' });
});

test('a package that is not there is asked for by its name', async () => {
  const folder = temporaryFolder();
  await expect(loadBackend('@acme/sluice-http', folder)).rejects.toThrow(
    `type @acme/sluice-http needs the package @acme/sluice-http: run "npm install @acme/sluice-http" in ${folder}`,
  );
});

test.each([
  [2, 'a newer sluice'],
  [0, 'a newer @acme/sluice-http'],
])('a package of contract %i is refused with what to install: %s', async (contract, what) => {
  const folder = installPackage('@acme/sluice-http', contract);
  await expect(loadBackend('@acme/sluice-http', folder)).rejects.toThrow(
    `speaks contract ${contract}, this sluice 1: install ${what}`,
  );
});

test('a package that exports no backend is refused', async () => {
  const folder = temporaryFolder();
  writeFile(
    folder,
    'node_modules/@acme/other/package.json',
    '{"type":"module","exports":"./x.js"}',
  );
  writeFile(folder, 'node_modules/@acme/other/x.js', 'export const other = 1;');
  await expect(loadBackend('@acme/other', folder)).rejects.toThrow(/is no backend/);
});

test('a package that fails as it is loaded is named', async () => {
  const folder = temporaryFolder();
  writeFile(folder, 'node_modules/@acme/bad/package.json', '{"type":"module","main":"x.js"}');
  writeFile(folder, 'node_modules/@acme/bad/x.js', 'throw new Error("broken inside");');
  await expect(loadBackend('@acme/bad', folder)).rejects.toThrow(
    /load the package @acme\/bad: broken inside/,
  );
});

test('its keys are what YAML makes of them, and ours are ours', async () => {
  const folder = installPackage('@acme/sluice-http');
  const config = writeFile(
    folder,
    'sluice.yml',
    `dbs:
- path: /d
  replicas:
  - type: '@acme/sluice-http'
    path: app
    name: here
    sync-interval: 2s
    retries: 5
    gzip: true
    headers: { x-a: "5" }
  - url: '@acme/sluice-http+https://me:pw@example.com/b?token=t'
    retries: $N
`,
  );
  const { code, stdout, stderr } = await sluice(['databases', '-config', config, '-json'], {
    N: '7',
  });
  expect([code, stderr]).toEqual([0, '']);
  const [database] = JSON.parse(stdout) as { destinations: unknown[] }[];
  expect(database?.destinations).toEqual([
    { name: 'here', type: '@acme/sluice-http', target: '@acme/sluice-http: app' },
    {
      name: '@acme/sluice-http',
      type: '@acme/sluice-http',
      target: '@acme/sluice-http+https://example.com/b',
    },
  ]);
});

test.each([
  ['s3://b/p?x=1', 's3', 's3://b/p?x=1'],
  ['file:///a', 'file', 'file:///a'],
  ['@acme/sluice-http+https://h/p', '@acme/sluice-http', 'https://h/p'],
  ['sluice-webdav+https://h/p', 'sluice-webdav', 'https://h/p'],
])('%s is of type %s', (text, type, url) => {
  const split = splitURL(text);
  expect([split.type, split.url.href]).toEqual([type, url]);
});

test.each(['', 'backup', '/backup', 's3:b', '://x'])('"%s" is no URL', (text) => {
  expect(() => splitURL(text)).toThrow(/is not a URL such as/);
});

test.each([
  ['./a.js', './a.js'],
  [{ import: './a.js' }, './a.js'],
  [{ '.': { types: './a.d.ts', import: './a.js', default: './b.js' } }, './a.js'],
  [{ '.': { node: { require: './c.cjs', import: './a.mjs' } } }, './a.mjs'],
  [{ '.': [{ browser: './x.js' }, './a.js'] }, './a.js'],
  [{ default: './b.js', import: './a.js' }, './b.js'],
  [{ './sub': './s.js' }, undefined],
  [{ require: './a.cjs' }, undefined],
])('exports %j lead to %s', (exports, entry) => {
  expect(resolveExports(exports)).toBe(entry);
});

test('the first folder that has a package counts', () => {
  const near = temporaryFolder();
  const far = temporaryFolder();
  writeFile(far, 'node_modules/x/package.json', '{"main":"far.js"}');
  const fromFar = findPackageEntry('x', [near, far]);
  expect(fromFar).toBe(path.join(far, 'node_modules/x/far.js'));
  writeFile(near, 'node_modules/x/package.json', '{}');
  expect(findPackageEntry('x', [near, far])).toBe(path.join(near, 'node_modules/x/index.js'));
  expect(findPackageEntry('nowhere-to-be-found', [near, far])).toBeUndefined();
  expect(pathToFileURL(near).protocol).toBe('file:');
});
