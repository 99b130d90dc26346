import { expect, test } from 'vitest';
import { installPackage } from './support/third-party.ts';
import { loadBackend, splitURL } from '../src/load-backend.ts';
import { sluice } from './support/shell.ts';
import { temporaryFolder, writeFile } from './support/temporary.ts';

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

test('a package is resolved from the folder of the configuration', async () => {
  const folder = installPackage('@acme/sluice-http');
  expect(await loadBackend('@acme/sluice-http', folder)).toMatchObject({ scheme: 'http' });
});

test('a missing package is reported with the command to install it', async () => {
  const folder = temporaryFolder();
  await expect(loadBackend('@acme/sluice-http', folder)).rejects.toThrow(
    `type @acme/sluice-http needs the package @acme/sluice-http: run "npm install @acme/sluice-http" in ${folder}`,
  );
});

test.each([
  [2, 'a newer sluice'],
  [0, 'a newer @acme/sluice-http'],
])('a package of contract %i is refused with what to install: %s', async (contract, what) => {
  const folder = installPackage('@acme/sluice-http', { contract });
  await expect(loadBackend('@acme/sluice-http', folder)).rejects.toThrow(
    `implements contract ${contract}, but this sluice needs contract 1: install ${what}`,
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
  await expect(loadBackend('@acme/other', folder)).rejects.toThrow(/is not a backend/);
});

test('a package that fails to load is named', async () => {
  const folder = temporaryFolder();
  writeFile(folder, 'node_modules/@acme/bad/package.json', '{"type":"module","main":"x.js"}');
  writeFile(folder, 'node_modules/@acme/bad/x.js', 'throw new Error("broken inside");');
  await expect(loadBackend('@acme/bad', folder)).rejects.toThrow(
    /load the package @acme\/bad: broken inside/,
  );
});

test('values of a third-party backend are converted as in YAML, and common keys are read by Sluice', async () => {
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
    token: 1234567
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
    {
      name: 'here',
      type: '@acme/sluice-http',
      target: 'http app {"retries":5,"gzip":true,"headers":{"x-a":"5"},"token":"string"}',
    },
    {
      name: '@acme/sluice-http',
      type: '@acme/sluice-http',
      target: 'http b {"host":"example.com","retries":7,"token":"string"}',
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

test.each(['', 'backup', '/backup', 's3:b', '://x'])('"%s" is not a URL', (text) => {
  expect(() => splitURL(text)).toThrow(/is not a URL such as/);
});

test('a path in the place of a URL, and the URL of a web server, have a hint', async () => {
  expect(() => splitURL('/mnt/backup')).toThrow(/: for this folder, write file:\/\/\/mnt\/backup$/);
  await expect(loadBackend('https', '/')).rejects.toThrow(
    /unknown type https: for an S3 server write s3:\/\/bucket\/path\?endpoint=https:\/\/host$/,
  );
});

test.each([
  ['./a.js'],
  [{ import: './a.js' }],
  [{ '.': { types: './a.d.ts', import: './a.js', default: './b.js' } }],
  [{ '.': { node: { require: './c.cjs', import: './a.js' } } }],
  [{ '.': [{ browser: './x.js' }, './a.js'] }],
  [{ default: './a.js', import: './b.js' }],
])('a package that exports %j is loaded', async (exports) => {
  const folder = installPackage('@acme/sluice-http', { exports });
  expect(await loadBackend('@acme/sluice-http', folder)).toMatchObject({ scheme: 'http' });
});

test.each([[{ './sub': './a.js' }], [{ require: './a.cjs' }]])(
  'a package that exports only %j is named',
  async (exports) => {
    const folder = installPackage('@acme/sluice-http', { exports });
    await expect(loadBackend('@acme/sluice-http', folder)).rejects.toThrow(
      /^load the package @acme\/sluice-http: /,
    );
  },
);

test('the folder of the configuration has precedence over that of Sluice', async () => {
  const near = installPackage('@sluice/file', { contract: 2 });
  await expect(loadBackend('file', near)).rejects.toThrow('the package @sluice/file implements');
});

test('a backend without a schema is refused with a next step', async () => {
  const folder = temporaryFolder();
  writeFile(folder, 'node_modules/@acme/old/package.json', '{"type":"module","exports":"./x.js"}');
  const code = 'export const backend = { contract: 1, scheme: "x", connect() {}, parse() {} };';
  writeFile(folder, 'node_modules/@acme/old/x.js', code);
  await expect(loadBackend('@acme/old', folder)).rejects.toThrow(
    /has no schema, no describe, no fromURL: install a newer @acme\/old/,
  );
});
