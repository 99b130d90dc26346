import fs from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { damageHeader, expectedOf, goldenBucket, sha256 } from '../support/golden.ts';
import { sluice } from '../support/shell.ts';
import { temporaryFolder, writeFile } from '../support/temporary.ts';

const all = expectedOf();
const latest = all.at(-1)?.txid;

interface State {
  readonly txid: string;
  readonly timestamp: string;
}
interface Json {
  readonly replica: string;
  readonly first: State;
  readonly newest: State;
  readonly moments_total: number;
  readonly moments: readonly (State & { readonly level: number })[];
  readonly gaps: readonly { from_txid: string; to_txid: string; before?: State; after?: State }[];
  readonly snapshots: readonly (State & { readonly size: number })[];
  readonly levels: readonly { level: number; files: number; size: number }[];
  readonly error?: { readonly code: string };
  readonly unreadable?: readonly { readonly file: string; readonly code: string }[];
}

async function history(...words: string[]): Promise<Json> {
  const { code, stdout, stderr } = await sluice(['history', '-json', ...words]);
  expect([code, stderr]).toEqual([0, '']);
  const [row] = JSON.parse(stdout) as [Json];
  return row;
}

test('every moment it lists restores to that state, by its time', async () => {
  const bucket = `file://${goldenBucket()}`;
  const { moments, first, newest } = await history('-limit', '100', bucket);
  expect([newest.txid, first.txid]).toEqual([moments[0]?.txid, moments.at(-1)?.txid]);
  expect(moments.map(({ txid }) => txid)).toEqual(
    expect.arrayContaining(all.map(({ txid }) => txid)),
  );
  for (const { txid, timestamp } of moments) {
    const output = path.join(temporaryFolder(), 'app.db');
    const words = ['restore', '-json', '-o', output, '-timestamp', timestamp, bucket];
    const { stdout } = await sluice(words);
    expect(JSON.parse(stdout)).toMatchObject({ txid, timestamp });
    const expected = all.find((each) => each.txid === txid);
    if (expected !== undefined) expect(sha256(output)).toBe(expected.file_sha256);
  }
});

test('it lists the same files as the listing, by level', async () => {
  const folder = goldenBucket();
  const { levels, snapshots } = await history(`file://${folder}`);
  const files = (fs.readdirSync(folder, { recursive: true }) as string[]).filter((name) =>
    name.endsWith('.ltx'),
  );
  expect(levels.reduce((sum, level) => sum + level.files, 0)).toBe(files.length);
  const bytes = files.map((name) => fs.statSync(path.join(folder, name)).size);
  expect(levels.reduce((sum, { size }) => sum + size, 0)).toBe(bytes.reduce((a, b) => a + b, 0));
  expect(snapshots).toHaveLength(files.filter((name) => name.startsWith('ltx/9/')).length);
});

test('-since and -until narrow it to the moments between them, and the limit is named', async () => {
  const bucket = `file://${goldenBucket()}`;
  const { moments } = await history('-limit', '100', bucket);
  const [until, since] = [moments[3]?.timestamp ?? '', moments[6]?.timestamp ?? ''];
  const range = ['-since', since, '-until', until];
  expect((await history(...range, bucket)).moments).toEqual(moments.slice(3, 7));
  const { stdout } = await sluice(['history', ...range, '-limit', '2', bucket]);
  expect(stdout).toContain(
    'moments, newest first (the newest 2 of 4; for others, use -until, or raise -limit):',
  );
  expect(stdout.trimEnd().split('\n').at(-1)).toContain(`TXID ${moments[4]?.txid}`);
});

test('a missing file is a gap, and nothing in it restores', async () => {
  const folder = goldenBucket();
  for (const name of fs.readdirSync(folder, { recursive: true }) as string[]) {
    if (/-0*(18|17|16)\.ltx$/.test(name)) fs.rmSync(path.join(folder, name));
  }
  const bucket = `file://${folder}`;
  const { gaps } = await history(bucket);
  expect(gaps).toMatchObject([{ from_txid: '0000000000000016', to_txid: latest }]);
  const words = ['restore', '-o', path.join(temporaryFolder(), 'app.db'), bucket];
  for (const target of [gaps[0]?.from_txid ?? '', gaps[0]?.to_txid ?? '']) {
    expect((await sluice([...words, '-txid', target])).code).not.toBe(0);
  }
  expect((await sluice([...words, '-timestamp', '1m ago'])).code).toBe(5);
  const { stdout } = await sluice(['history', bucket]);
  expect(stdout).toMatch(/^ {2}\S+!$/m);
  expect(stdout).toContain(`TXID 0000000000000016 to ${latest} cannot be restored: after 2026-`);
});

test('every destination is shown; one that fails sets the exit code', async () => {
  const missing = path.join(temporaryFolder(), 'not', 'there');
  const empty = temporaryFolder();
  const config = writeFile(
    temporaryFolder(),
    'sluice.yml',
    `dbs:\n- path: /data/app.db\n  replicas:\n  - { path: ${goldenBucket()}, name: whole }\n` +
      `  - { path: ${missing}, name: missing }\n  - { path: ${empty}, name: empty }\n`,
  );
  const words = ['history', '-config', config, '/data/app.db'];
  const text = await sluice(words);
  expect(text.code).toBe(7);
  expect(text.stdout).toMatch(/^whole \(file:.*\): \d+ moments, from 2026-/);
  expect(text.stdout).toContain(`missing (file://${missing}): cannot be read\n`);
  expect(text.stdout).toContain(`empty (file://${empty}): no backup\n`);
  expect(text.stderr).toMatch(/level=ERROR msg="missing: .*" code=REPLICA_DESTINATION_NOT_FOUND/);
  const json = JSON.parse((await sluice([...words, '-json'])).stdout) as Json[];
  expect(json.map(({ replica, error }) => [replica, error?.code])).toEqual([
    ['whole', undefined],
    ['missing', 'REPLICA_DESTINATION_NOT_FOUND'],
    ['empty', undefined],
  ]);
  const one = await sluice([...words, '-replica', 'whole']);
  expect([one.code, one.stdout.match(/moments, from/g)?.length]).toEqual([0, 1]);
  const none = await sluice([...words, '-replica', 'empty']);
  expect([none.code, none.stderr]).toEqual([4, expect.stringContaining(`empty (file://${empty})`)]);
});

test('a time before the first moment, a wrong range and a wrong limit are errors', async () => {
  const bucket = `file://${goldenBucket()}`;
  const early = await sluice(['history', '-until', '2001-01-01T00:00:00Z', bucket]);
  expect([early.code, early.stderr]).toEqual([
    10,
    expect.stringContaining('the first moment that can be restored is 2026-'),
  ]);
  const swapped = await sluice(['history', '-since', '1h ago', '-until', '2h ago', bucket]);
  expect([swapped.code, swapped.stderr]).toEqual([2, expect.stringContaining('is after')]);
  const limit = await sluice(['history', '-limit', '0', bucket]);
  expect([limit.code, limit.stderr]).toEqual([2, expect.stringContaining('-limit is 1 to 10000')]);
  const since = await sluice(['history', '-since', 'tomorrow', bucket]);
  expect([since.code, since.stderr]).toEqual([2, expect.stringContaining('-since must be a time')]);
});

test('a file with a damaged header is named, and the others are still shown', async () => {
  const folder = goldenBucket();
  damageHeader(folder, latest ?? '');
  const { code, stdout } = await sluice(['history', `file://${folder}`]);
  expect(code).toBe(0);
  expect(stdout).toContain(`TXID ${latest}`);
  expect(stdout).toMatch(/unreadable files, left out:\n.*read the header of level 0 .*/);
  const json = await history(`file://${folder}`);
  expect(json.newest.txid).toBe(latest);
  expect(json.unreadable).toMatchObject([{ code: 'LTX_INVALID' }]);
});
