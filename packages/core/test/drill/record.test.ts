import fs from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import type { DrillReport } from '../../src/drill/drill.ts';
import { systemFiles, type FileSystem } from '../../src/file-system.ts';
import { currentFailure, readDrills, recordDrill } from '../../src/drill/record.ts';
import { temporaryFolder } from '../restore/temporary.ts';
import { MemoryFiles } from '../support/memory-file-system.ts';
import { randomFrom } from '../support/random.ts';

const REPORT: DrillReport = {
  result: 'ok',
  kind: 'full',
  problems: [],
  at: '2026-01-31T12:00:00.000Z',
  newestTXID: '0000000000000002',
  txid: '0000000000000002',
  timestamp: '2026-01-31T11:59:00.000Z',
  restoreMs: 12,
  lossWindowMs: 0,
  filesListed: 2,
  filesRead: 1,
  bytesRead: 100,
  databaseBytes: 4096,
  assertions: [],
  comparison: { kind: 'equal', pages: 1, skipped: 0 },
};
const ONE = { name: 'one', target: 'file:///one' };
const TWO = { name: 'two', target: 'file:///two' };

test('the last drill of each destination is kept, and the time of its last success', async () => {
  const folder = temporaryFolder();
  expect(await readDrills(folder)).toEqual([]);
  await recordDrill(folder, ONE, REPORT);
  await recordDrill(folder, TWO, REPORT);
  const problems = [{ message: 'it is damaged' }];
  const at = '2026-02-01T12:00:00.000Z';
  await recordDrill(folder, ONE, { ...REPORT, at, result: 'failed', problems });
  const lastSuccessAt = REPORT.at;
  expect(await readDrills(folder)).toMatchObject([
    { ...TWO, result: 'ok', at: REPORT.at, lastSuccessAt, problems: [] },
    { ...ONE, result: 'failed', at, lastSuccessAt, problems: ['it is damaged'] },
  ]);
  expect(fs.readdirSync(folder)).toEqual(['drill.json']);
});

test('the drills before the last one are kept, newest first, up to a limit', async () => {
  const folder = temporaryFolder();
  const atOf = (day: number): string => new Date(Date.UTC(2026, 0, day)).toISOString();
  await recordDrill(folder, TWO, REPORT);
  for (let day = 1; day <= 30; day += 1) {
    const result = day % 2 === 0 ? 'ok' : 'failed';
    await recordDrill(
      folder,
      { ...ONE, startedBy: 'command' },
      { ...REPORT, at: atOf(day), result },
    );
  }
  const [two, one] = await readDrills(folder);
  expect(two?.earlier).toBeUndefined();
  expect(one?.at).toBe(atOf(30));
  expect(one?.earlier?.map(({ at }) => at)).toEqual(
    Array.from({ length: 20 }, (_, index) => atOf(29 - index)),
  );
  expect(one?.earlier?.[0]).toEqual({
    at: atOf(29),
    result: 'failed',
    kind: 'full',
    startedBy: 'command',
  });
});

test('a warm drill is named, and the time to restore stays that of the last full one', async () => {
  const folder = temporaryFolder();
  await recordDrill(folder, ONE, REPORT);
  await recordDrill(folder, ONE, { ...REPORT, kind: 'warm', restoreMs: undefined });
  expect(await readDrills(folder)).toMatchObject([{ kind: 'warm', restoreMs: 12 }]);
  await recordDrill(folder, ONE, { ...REPORT, restoreMs: undefined });
  expect((await readDrills(folder))[0]).not.toHaveProperty('restoreMs');
});

test('drills that end together do not share a temporary file', async () => {
  const folder = temporaryFolder();
  const created: string[] = [];
  const files: FileSystem = {
    ...systemFiles,
    create: (file, access) => {
      created.push(path.basename(file));
      return systemFiles.create(file, access);
    },
  };
  await Promise.all([
    recordDrill(folder, ONE, REPORT, { files }),
    recordDrill(folder, TWO, REPORT, { files }),
  ]);
  expect(new Set(created).size).toBe(2);
  // The replicator removes what a killed drill leaves.
  for (const name of created) expect(name).toMatch(/^drill\.json\.[0-9a-f]+\.tmp$/);
  expect(fs.readdirSync(folder)).toEqual(['drill.json']);
});

test('another place with the same name has its own record', async () => {
  const folder = temporaryFolder();
  await recordDrill(folder, ONE, REPORT);
  await recordDrill(folder, { ...ONE, target: 's3://b' }, { ...REPORT, result: 'failed' });
  const records = await readDrills(folder);
  expect(records.map(({ lastSuccessAt }) => lastSuccessAt)).toEqual([REPORT.at, undefined]);
});

type Step = readonly [result: DrillReport['result'], kind: 'full' | 'warm'];

test.each<{ steps: readonly Step[]; counts: number | undefined }>([
  { steps: [['failed', 'full']], counts: 0 },
  {
    steps: [
      ['failed', 'full'],
      ['inconclusive', 'full'],
    ],
    counts: 0,
  },
  {
    steps: [
      ['failed', 'full'],
      ['ok', 'warm'],
    ],
    counts: 0,
  },
  {
    steps: [
      ['failed', 'full'],
      ['failed', 'warm'],
      ['ok', 'warm'],
    ],
    counts: 0,
  },
  {
    steps: [
      ['failed', 'full'],
      ['failed', 'full'],
    ],
    counts: 1,
  },
  {
    steps: [
      ['failed', 'full'],
      ['ok', 'full'],
    ],
    counts: undefined,
  },
  {
    steps: [
      ['failed', 'warm'],
      ['ok', 'warm'],
    ],
    counts: undefined,
  },
  {
    steps: [
      ['failed', 'warm'],
      ['failed', 'full'],
      ['ok', 'warm'],
    ],
    counts: 1,
  },
  {
    steps: [
      ['ok', 'full'],
      ['inconclusive', 'full'],
    ],
    counts: undefined,
  },
])('a failure counts until a success as strong: $steps', async ({ steps, counts }) => {
  const folder = temporaryFolder();
  for (const [index, [result, kind]] of steps.entries()) {
    const problems = result === 'ok' ? [] : [{ message: `step ${index}` }];
    await recordDrill(folder, ONE, { ...REPORT, result, kind, problems });
  }
  const [record] = await readDrills(folder);
  const failure = record && currentFailure(record);
  expect(failure?.problems).toEqual(counts === undefined ? undefined : [`step ${counts}`]);
});

test('a drill that somebody started does not hide which one of the schedule failed', async () => {
  const folder = temporaryFolder();
  const problems = [{ message: 'it is damaged' }];
  const failed: DrillReport = { ...REPORT, result: 'failed', problems };
  await recordDrill(folder, { ...ONE, startedBy: 'schedule' }, failed);
  const at = '2026-02-01T12:00:00.000Z';
  const later: DrillReport = { ...REPORT, at, result: 'inconclusive' };
  await recordDrill(folder, { ...ONE, startedBy: 'command' }, later);
  const failure = { at: REPORT.at, startedBy: 'schedule', problems: ['it is damaged'] };
  expect(await readDrills(folder)).toMatchObject([{ at, startedBy: 'command', failure }]);
});

const CONFIGURED = ['SELECT count(*) FROM orders'];
const BY_HAND = { ...ONE, startedBy: 'command', configured: CONFIGURED } as const;
const SCHEDULED = { ...ONE, startedBy: 'schedule', configured: CONFIGURED } as const;

/** A drill with one assertion, which is not true. */
function asserted(sql: string, more: Partial<DrillReport> = {}): DrillReport {
  const problems = [{ message: `the assertion ${JSON.stringify(sql)} returned 0` }];
  const assertions = [{ sql, failure: 'returned 0' }];
  return { ...REPORT, result: 'failed', problems, assertions, ...more };
}

const failureIn = async (folder: string): Promise<unknown> => {
  const [record] = await readDrills(folder);
  return record && currentFailure(record);
};

test('an assertion that is not configured is not recorded', async () => {
  const folder = temporaryFolder();
  await recordDrill(folder, BY_HAND, asserted('SELECT 0'));
  expect(await readDrills(folder)).toMatchObject([{ result: 'ok', problems: [] }]);
  expect(await failureIn(folder)).toBeUndefined();
  const damage = { message: 'damaged', code: 'LTX_INVALID', object: 'level 0' } as const;
  const both = asserted('SELECT 0');
  await recordDrill(folder, BY_HAND, { ...both, problems: [damage, ...both.problems] });
  expect(await failureIn(folder)).toMatchObject({ problems: ['damaged'] });
});

test('a configured assertion counts, whoever started the drill', async () => {
  const folder = temporaryFolder();
  await recordDrill(folder, BY_HAND, asserted(CONFIGURED[0] ?? ''));
  expect(await failureIn(folder)).toMatchObject({ assertions: CONFIGURED, startedBy: 'command' });
});

test('a drill by hand clears a failed assertion only if it checks as much, and restores the newest state', async () => {
  const folder = temporaryFolder();
  await recordDrill(folder, SCHEDULED, asserted(CONFIGURED[0] ?? ''));
  const holds = { ...REPORT, assertions: [{ sql: CONFIGURED[0] ?? '', failure: undefined }] };
  await recordDrill(folder, BY_HAND, REPORT);
  await recordDrill(folder, BY_HAND, asserted('SELECT 0'));
  await recordDrill(folder, BY_HAND, { ...holds, txid: '0000000000000001' });
  await recordDrill(folder, { ...BY_HAND, check: 'weaker' }, holds);
  expect(await failureIn(folder)).toMatchObject({ assertions: CONFIGURED });
  // Another failure by hand does not hide it.
  await recordDrill(folder, BY_HAND, { ...REPORT, result: 'failed', problems: [{ message: 'm' }] });
  await recordDrill(folder, BY_HAND, REPORT);
  expect(await failureIn(folder)).toMatchObject({ assertions: CONFIGURED });
  await recordDrill(folder, BY_HAND, holds);
  expect(await failureIn(folder)).toBeUndefined();
});

test('a failed assertion is cleared by the schedule, and by hand once it is no longer configured', async () => {
  for (const [drill, report] of [
    [SCHEDULED, { ...REPORT, assertions: [{ sql: CONFIGURED[0] ?? '', failure: undefined }] }],
    [{ ...BY_HAND, configured: [] }, REPORT],
  ] as const) {
    const folder = temporaryFolder();
    await recordDrill(folder, SCHEDULED, asserted(CONFIGURED[0] ?? ''));
    await recordDrill(folder, drill, report);
    expect(await failureIn(folder)).toBeUndefined();
  }
});

test('a failed drill that an older version recorded counts', async () => {
  const folder = temporaryFolder();
  const old = { ...ONE, at: REPORT.at, result: 'failed', problems: ['it is damaged'] };
  fs.writeFileSync(path.join(folder, 'drill.json'), JSON.stringify([old]));
  await recordDrill(folder, ONE, { ...REPORT, result: 'inconclusive' });
  expect(await readDrills(folder)).toMatchObject([{ failure: { problems: ['it is damaged'] } }]);
});

test('a missing staging folder is not created', async () => {
  const folder = path.join(temporaryFolder(), 'meta');
  expect(await recordDrill(folder, ONE, REPORT)).toBe('no folder');
  expect(fs.existsSync(folder)).toBe(false);
});

test.each(['', '[{"name":"one"', '{}', '[1, {"name":"one"}]'])(
  'the text %j has no records, and is replaced',
  async (text) => {
    const folder = temporaryFolder();
    fs.writeFileSync(path.join(folder, 'drill.json'), text);
    expect(await readDrills(folder)).toEqual([]);
    await recordDrill(folder, ONE, REPORT);
    expect(await readDrills(folder)).toHaveLength(1);
  },
);

test('a file that cannot be read is an error', async () => {
  const folder = temporaryFolder();
  fs.mkdirSync(path.join(folder, 'drill.json'));
  await expect(readDrills(folder)).rejects.toMatchObject({ code: 'STAGING_FAILED' });
});

test('a power loss does not forget a failed drill', async () => {
  for (let seed = 1; seed <= 20; seed += 1) {
    const files = new MemoryFiles();
    await files.makeFolder('/staging');
    await files.syncFolder('/');
    await recordDrill('/staging', ONE, REPORT, { files });
    const failed: DrillReport = { ...REPORT, result: 'failed', problems: [{ message: 'damaged' }] };
    await recordDrill('/staging', ONE, failed, { files });
    files.crash(randomFrom(seed));
    const [record] = await readDrills('/staging', files);
    expect(record && currentFailure(record)?.problems).toEqual(['damaged']);
  }
});
