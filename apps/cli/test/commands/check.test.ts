/** `sluice check` of folders and of unreachable destinations. */

import fs from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { OWN_PACKAGES } from '../../src/backends.ts';
import { loadBackend } from '../../src/load-backend.ts';
import { uniqueTargets } from '../../src/check-targets.ts';
import { readText } from '../support/configuration.ts';
import { goldenBucket } from '../support/golden.ts';
import { closedEndpoint } from '../support/silent-server.ts';
import { sluice } from '../support/shell.ts';
import { temporaryFolder, writeFile } from '../support/temporary.ts';

interface Checked {
  readonly name: string;
  readonly target: string;
  readonly others: number;
  readonly path: string;
  readonly ok: boolean;
  readonly features: readonly {
    readonly feature: string;
    readonly verdict: string;
    readonly seen: string;
    readonly next?: string;
    readonly code?: string;
    readonly missing?: string;
  }[];
  readonly write_ms?: number;
  readonly read_ms?: number;
  readonly up_bytes_per_second?: number;
  readonly down_bytes_per_second?: number;
  readonly left: readonly string[];
}

const FEATURES = [
  'reach',
  'write',
  'list',
  'read',
  'ranges',
  'large',
  'abort',
  'if-absent',
  'if-absent-large',
  'objects',
  'if-version',
  'delete',
];

/** All features except leases, which folders do not support. */
const EXPECTED = FEATURES.map((feature) => [
  feature,
  feature === 'if-version' ? 'not judged' : 'works',
]);

async function checkJSON(
  ...words: string[]
): Promise<{ code: number; checked: Checked[]; stderr: string }> {
  const { code, stdout, stderr } = await sluice(['check', '-json', ...words]);
  return { code, checked: JSON.parse(stdout) as Checked[], stderr };
}

function configuration(replicas: string): string {
  return writeFile(temporaryFolder(), 's.yml', `dbs: [{ path: /d, replicas: [${replicas}] }]`);
}

async function treeOf(folder: string): Promise<string[]> {
  return (fs.readdirSync(folder, { recursive: true }) as string[]).toSorted();
}

test('a folder passes all features and is left unchanged', async () => {
  const bucket = goldenBucket();
  const before = await treeOf(bucket);
  const { code, checked } = await checkJSON(`file://${bucket}`);
  expect(code).toBe(0);
  const [one] = checked;
  expect(one).toMatchObject({
    name: 'file',
    type: 'file',
    target: `file://${bucket}`,
    others: 0,
    ok: true,
    left: [],
  });
  expect(one?.features.map(({ feature, verdict }) => [feature, verdict])).toEqual(EXPECTED);
  for (const key of [
    'write_ms',
    'read_ms',
    'up_bytes_per_second',
    'down_bytes_per_second',
  ] as const) {
    expect(one?.[key], key).toBeGreaterThan(0);
  }
  expect(one?.path).toMatch(/\/\.sluice-check-[0-9a-f]{12}$/);
  expect(await treeOf(bucket)).toEqual(before);
});

test('text output has a line for each feature and the figures', async () => {
  const folder = temporaryFolder();
  const { code, stdout } = await sluice(['check', `file://${folder}`]);
  const [head, ...lines] = stdout.trimEnd().split('\n');
  expect([code, head]).toEqual([0, `file: file://${folder}`]);
  const verdicts = lines.slice(0, -1).filter((line) => !line.trim().startsWith('next: '));
  expect(verdicts.map((line) => line.slice(2, 29).trim().split(/ {2,}/))).toEqual(EXPECTED);
  expect(lines.at(-1)).toMatch(
    /^ {2}a small write [\d.]+ ms, a small read [\d.]+ ms, up [\d.]+ [KMG]iB\/s, down [\d.]+ [KMG]iB\/s$/,
  );
});

test('a missing folder is reported, and is not created', async () => {
  const above = temporaryFolder();
  const { code, checked } = await checkJSON(`file://${above}/app`);
  expect(code).toBe(0);
  expect(checked[0]?.features[0]).toMatchObject({
    verdict: 'works',
    seen: 'the folder does not exist yet: the first write creates it',
    next: 'if it should be on a mounted disk, mount the disk first',
  });
  expect(fs.readdirSync(above)).toEqual([]);
});

test('a folder without its parent is not created: exit code 7', async () => {
  const above = temporaryFolder();
  const { code, checked } = await checkJSON(`file://${above}/disk/app`);
  expect(code).toBe(7);
  expect(checked[0]).toMatchObject({ ok: false, left: [] });
  expect(checked[0]?.features[0]).toMatchObject({
    feature: 'reach',
    verdict: 'does not',
    code: 'REPLICA_DESTINATION_NOT_FOUND',
  });
  expect(checked[0]?.features.slice(1).every(({ verdict }) => verdict === 'not judged')).toBe(true);
  expect(fs.readdirSync(above)).toEqual([]);
});

test('a file in the place of a folder is reported', async () => {
  const file = writeFile(temporaryFolder(), 'app', 'a file, not a folder');
  const { code, checked } = await checkJSON(`file://${file}`);
  expect(code).toBeGreaterThan(0);
  expect(checked[0]?.ok).toBe(false);
  expect(fs.readFileSync(file, 'utf8')).toBe('a file, not a folder');
});

describe('of a configuration', () => {
  test('all destinations are checked, and a failure sets the exit code', async () => {
    const endpoint = await closedEndpoint();
    const [one, two] = [temporaryFolder(), temporaryFolder()];
    const config = configuration(
      `{ path: ${one}/app, name: near }, ` +
        `{ type: s3, bucket: b, path: p, endpoint: "${endpoint}", region: x, access-key-id: a, secret-access-key: bbbbbbbb }, ` +
        `{ path: ${two}/app, name: far }`,
    );
    const { code, checked } = await checkJSON('-config', config);
    expect(code).toBe(7);
    expect(checked.map(({ name, ok }) => [name, ok])).toEqual([
      ['near', true],
      ['s3', false],
      ['far', true],
    ]);
    const reach = checked[1]?.features[0];
    expect(reach).toMatchObject({ feature: 'reach', code: 'REPLICA_UNAVAILABLE' });
    expect(reach?.seen).toMatch(/^cannot be reached: .*ECONNREFUSED/);
    expect(JSON.stringify(checked)).not.toContain('bbbbbbbb');
  });

  test('one destination can be checked by name', async () => {
    const folder = temporaryFolder();
    const config = configuration(`{ path: /nowhere/at/all }, { path: ${folder}/app, name: disk }`);
    const { code, checked } = await checkJSON('-config', config, 'disk');
    expect([code, checked.map(({ name }) => name)]).toEqual([0, ['disk']]);
  });

  test('an unknown name is refused with the known names', async () => {
    const config = configuration('{ path: /backup }, { path: /mnt/b, name: disk }');
    const { code, stderr } = await sluice(['check', '-config', config, 'dsk']);
    expect(code).toBe(2);
    expect(stderr).toContain(`there is no destination dsk in ${config}, which has file, disk`);
  });

  test('replicas in the same folder with the same keys are checked once', async () => {
    const { databases } = await readText(`
dbs:
- { path: /a, replicas: [{ path: /mnt/a/1 }, { type: s3, bucket: b, path: t/1 }] }
- { path: /b, replicas: [{ path: /mnt/a/2 }, { type: s3, bucket: b, path: t/2 }] }
- { path: /c, replicas: [{ path: /mnt/b/3 }, { type: s3, bucket: c, path: t/3 }] }
- { path: /d, replicas: [{ path: /mnt/a/4 }, { type: s3, bucket: b, path: t/4, region: eu }] }
`);
    const all = databases.flatMap(({ destinations }) => destinations);
    expect(
      uniqueTargets(all).map(({ destination, others }) => [destination.target, others]),
    ).toEqual([
      ['file:///mnt/a/1', 2],
      ['s3://b/t/1', 1],
      ['file:///mnt/b/3', 0],
      ['s3://c/t/3', 0],
      ['s3://b/t/4', 0],
    ]);
  });
});

test.each([
  [['file:///a', 'file:///b'], 'give one destination, or none for all, without file:///b'],
  [['-config', 'x.yml', 'file:///a'], '-config needs a name, but file:///a is a destination'],
])('%j is refused', async (words, message) => {
  const { code, stderr } = await sluice(['check', ...words]);
  expect(code).toBe(2);
  expect(stderr).toContain(message);
});

test.each(Object.keys(OWN_PACKAGES))('the permissions of %s have names', async (type) => {
  const { permissions } = await loadBackend(type, '/');
  for (const right of ['list', 'read', 'write', 'replace', 'delete'] as const) {
    expect(permissions?.[right], right).toMatch(/./);
  }
});

test('the documentation lists each feature', () => {
  const docs = fs.readFileSync(
    path.resolve(import.meta.dirname, '../../../../docs/commands.md'),
    'utf8',
  );
  for (const feature of FEATURES) expect(docs).toContain(`| \`${feature}\` |`);
});
