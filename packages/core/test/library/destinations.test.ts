/** Destinations as plain data, and how the process that replicates reads them. */

import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';
import { destinationData, type DestinationData } from '../../src/backend.ts';
import { loadDestinations } from '../../src/library/host/load-destinations.ts';

/** A backend without a package: its replica is at `path`, and it has no other keys. */
const BACKEND = `
const standard = {
  version: 1,
  vendor: 'test',
  validate: ({ path }) =>
    typeof path === 'string' ? { value: { path } } : { issues: [{ message: 'is missing', path: ['path'] }] },
  jsonSchema: { input: () => ({ type: 'object', properties: { path: { type: 'string' } } }) },
};
export const backend = {
  contract: 1,
  scheme: 'test',
  schema: { '~standard': standard },
  describe: (_, path) => ({ target: 'test://' + path }),
  connect: () => undefined,
};
`;

function moduleWith(text: string): string {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'sluice-backend-'));
  onTestFinished(() => fs.rmSync(folder, { recursive: true }));
  fs.writeFileSync(path.join(folder, 'backend.mjs'), text);
  return pathToFileURL(path.join(folder, 'backend.mjs')).href;
}

async function load(...destinations: readonly DestinationData[]) {
  const none = (): never => {
    throw new Error('nobody is asked');
  };
  return await loadDestinations({ options: { path: '/app.db' }, destinations }, none);
}

test('options in camelCase are the keys of the configuration, and undefined ones are left out', () => {
  const { keys } = destinationData('file:///x.js', { forcePathStyle: true, region: undefined });
  expect(keys).toEqual({ 'force-path-style': true });
});

test('destinations without a name are named after their type', async () => {
  const module = moduleWith(BACKEND);
  const loaded = await load(
    destinationData(module, { path: 'a' }),
    destinationData(module, { path: 'b' }, { name: 'test-2' }),
    destinationData(module, { path: 'c' }),
  );
  expect(loaded.map(({ name }) => name)).toEqual(['test', 'test-2', 'test-3']);
});

test('files are kept as long as by the command, unless something else is given', async () => {
  const module = moduleWith(BACKEND);
  const [standard, longer, all] = await load(
    destinationData(module, { path: 'a' }),
    destinationData(module, { path: 'b' }, { retention: { retentionMs: 1e9 } }),
    destinationData(module, { path: 'c' }, { retention: 'everything' }),
  );
  expect(standard?.retention).toMatchObject({ retentionMs: 72 * 3_600_000 });
  expect(longer?.retention).toMatchObject({
    retentionMs: 1e9,
    topLevel: standard?.retention?.topLevel,
  });
  expect(all?.retention).toBeUndefined();
});

test('two destinations at one place, or with one name, are refused', async () => {
  const module = moduleWith(BACKEND);
  const data = (at: string, name?: string): DestinationData =>
    destinationData(module, { path: at }, { name });
  await expect(load(data('a'), data('a'))).rejects.toMatchObject({
    code: 'CONFIG_INVALID',
    message: expect.stringContaining('two destinations write to test://a') as string,
  });
  await expect(load(data('a', 'x'), data('b', 'x'))).rejects.toThrow(
    'two destinations have one name',
  );
});

test('a database needs a destination, with the keys of its backend', async () => {
  await expect(load()).rejects.toThrow('it has no destination');
  const wrong = destinationData(moduleWith(BACKEND), {});
  await expect(load(wrong)).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
});

test('a module that is no backend of this contract is refused', async () => {
  const cases = [
    ['export {}', 'no export named backend'],
    [
      BACKEND.replace('contract: 1', 'contract: 2'),
      'contract 2, but this version of Sluice needs 1',
    ],
    ['throw new Error("torn")', 'torn; install its package again'],
  ] as const;
  for (const [text, message] of cases) {
    await expect(load(destinationData(moduleWith(text), { path: 'a' }))).rejects.toThrow(message);
  }
});
