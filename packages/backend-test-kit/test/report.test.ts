import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

import { expect, test } from 'vitest';

import {
  CASE_MS_MAX,
  CASES,
  describeBackend,
  formatReport,
  judge,
  runKit,
  type Case,
} from '../src/index.ts';
import { changeFiles, subjectOf } from './world.ts';

const EMPTY_RANGES = 'open/range-of-an-empty-file';
const lateness = subjectOf('a backend', {
  change: (each) =>
    changeFiles(each, (client) => ({
      openFile: (file, options) => client.openFile(file, { ...options, version: undefined }),
    })),
});

test('a report says of each promise whether it is kept, and what was seen', async () => {
  const report = await runKit(lateness, {
    seed: 5,
    only: ['open/version', 'open/empty', 'capabilities/size-max'],
  });
  expect(report.isPassed).toBe(false);
  const text = formatReport(report).replaceAll(/\/replica-\d+/g, '');
  expect(text).toContain('kept        open/empty (bare, wrapped): An empty file can be written');
  expect(text).toMatch(
    /BROKEN {6}open\/version \(bare\): A version .*\n +seen: it was done; REPLICA_CHANGED/,
  );
  expect(text).toMatch(/not judged {2}capabilities\/size-max .*\n +why: no sizeMax is claimed/);
  expect(text).toMatch(/\nNOT PASSED: \d+ kept, \d+ broken, \d+ not judged; seed 5\n$/);
});

test('a deviation that is known is expected to break', async () => {
  const deviations = { 'open/version (bare)': 'the server has none' };
  const report = await runKit({ ...lateness, deviations }, { only: ['open/version'] });
  expect(report.isPassed).toBe(true);
  expect(report.results.map(({ why }) => why)).toContain('known: the server has none');
});

test('a deviation that holds is to be taken off the list', async () => {
  const deviations = { 'open/empty': 'it was so once' };
  const report = await runKit({ ...lateness, deviations }, { only: ['open/empty'] });
  expect(report.isPassed).toBe(false);
  expect(formatReport(report)).toContain('UNEXPECTED  open/empty');
});

test('a deviation that is known to fail sometimes may hold, and may break', async () => {
  const flaky = { reason: 'a race of the server', fails: 'sometimes' } as const;
  const deviations = { 'open/empty': flaky, 'open/version': flaky };
  const report = await runKit(
    { ...lateness, deviations, layers: ['bare'] },
    { only: ['open/empty', 'open/version'] },
  );
  expect(report.isPassed).toBe(true);
  expect(report.results.map(({ id, verdict }) => [id, verdict])).toEqual([
    ['open/empty', 'kept'],
    ['open/version', 'broken'],
  ]);
  expect(formatReport(report)).toContain('it is known to fail sometimes: a race of the server');
});

test('what was seen has the numbers that were compared', async () => {
  const wrong = subjectOf('a backend', {
    change: (each, world) =>
      changeFiles(each, (client) => ({
        async openFile(...given) {
          world.handles += 1;
          const opened = await client.openFile(...given);
          return { ...opened, body: shiftedBy(1, opened.body) };
        },
      })),
  });
  const report = await runKit(wrong, {
    only: ['open/whole', 'open/leaving-early-frees-it'],
  });
  for (const { id, seen, verdict } of report.results) {
    expect([id, verdict, seen]).toEqual([id, 'broken', expect.stringMatching(/\d.*\d/)]);
  }
  expect(report.results.length).toBeGreaterThan(3);
});

async function* shiftedBy(
  more: number,
  chunks: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  for await (const chunk of chunks) yield chunk.map((byte) => byte + more);
}

test('the time that a case may take is told to the runner, with some to spare', () => {
  const limits: number[] = [];
  const runner = {
    describe: (_: string, body: () => void) => body(),
    test: (_: string, __: () => Promise<void>, timeoutMs: number) => limits.push(timeoutMs),
    before: () => undefined,
    after: () => undefined,
  };
  describeBackend(lateness, runner);
  expect(Math.min(...limits)).toBeGreaterThan(CASE_MS_MAX);
  limits.length = 0;
  describeBackend(lateness, runner, { caseMsMax: 500 });
  expect(Math.min(...limits)).toBeGreaterThan(500);
  expect(Math.max(...limits)).toBeLessThan(CASE_MS_MAX);
});

test('a case that hangs is broken', async () => {
  const hangs: Case = { id: 'x/hangs', says: 'It ends.', run: () => new Promise(() => undefined) };
  const setup = await lateness.open();
  const result = await judge(hangs, lateness, setup, 'bare', { caseMsMax: 30 });
  expect(result).toMatchObject({ verdict: 'broken', seen: 'no end after 30 ms' });
});

test('what a case finds out not to be judged is not judged', async () => {
  const shy: Case = {
    id: 'x/shy',
    says: 'It may be judged.',
    run: async ({ notJudged }) => notJudged('nothing is there'),
  };
  const result = await judge(shy, lateness, await lateness.open(), 'bare');
  expect(result).toMatchObject({
    verdict: 'not judged',
    why: 'nothing is there',
    isExpected: true,
  });
});

test('results are told as they come, and both layers are tried', async () => {
  const told: string[] = [];
  await runKit(lateness, {
    only: [EMPTY_RANGES],
    onResult: ({ id, layer }) => told.push(`${id} ${layer}`),
  });
  expect(told).toEqual([`${EMPTY_RANGES} bare`, `${EMPTY_RANGES} wrapped`]);
});

test('every promise is said in a sentence, and has an id of its area', () => {
  for (const { id, says } of CASES) {
    expect(id).toMatch(/^[a-z-]+\/[a-z0-9-]+$/);
    expect(says).toMatch(/^[A-Za-z0-9].+\.$/);
  }
});

test('under a runner, each case that can be judged is a test for each layer', () => {
  const names: string[] = [];
  const unjudged = describeBackend(
    { ...lateness, deviations: { 'open/version': 'no versions' } },
    {
      describe: (_, body) => body(),
      test: (name) => names.push(name),
      before: () => undefined,
      after: () => undefined,
    },
  );
  expect(names.filter((name) => name === 'open/empty')).toHaveLength(2);
  expect(names).toContain('open/version does not hold: no versions');
  expect(unjudged.get('capabilities/size-max')).toBe('no sizeMax is claimed');
  expect(names).not.toContain('capabilities/size-max');
});

test('node:test runs it too, and fails where a promise is broken', () => {
  const file = fileURLToPath(new URL('node-test-main.mjs', import.meta.url));
  const { stdout, status } = spawnSync(process.execPath, ['--test-reporter=tap', file], {
    encoding: 'utf8',
  });
  expect(stdout).toMatch(/# pass [1-9]\d+\n# fail 0/);
  expect(status).toBe(0);
}, 120_000);
