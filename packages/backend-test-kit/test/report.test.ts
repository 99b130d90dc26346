import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

import { expect, test } from 'vitest';

import {
  CASE_MS_MAX,
  CASES,
  describeBackend,
  formatReport,
  runCase,
  runKit,
  type Case,
} from '../src/index.ts';
import { changeFiles, subjectOf } from './world.ts';

const EMPTY_RANGES = 'open/range-of-an-empty-file';
const withoutVersions = subjectOf('a backend', {
  change: (each) =>
    changeFiles(each, (client) => ({
      openFile: (file, options) => client.openFile(file, { ...options, version: undefined }),
    })),
});

test('a report lists the status and details of each promise', async () => {
  const report = await runKit(withoutVersions, {
    seed: 5,
    only: ['open/version', 'open/empty', 'capabilities/size-max'],
  });
  expect(report.isPassed).toBe(false);
  const text = formatReport(report).replaceAll(/\/replica-\d+/g, '');
  expect(text).toContain('passed      open/empty (bare, wrapped): An empty file can be written');
  expect(text).toMatch(
    /FAILED {6}open\/version \(bare\): Opening .*\n +details: resolved, expected REPLICA_CHANGED/,
  );
  expect(text).toMatch(/not tested {2}capabilities\/size-max .*\n +reason: no sizeMax is claimed/);
  expect(text).toMatch(/\nFAILED: \d+ passed, \d+ failed, \d+ not tested; seed 5\n$/);
});

test('a known deviation is expected to fail', async () => {
  const deviations = { 'open/version (bare)': 'the server has none' };
  const report = await runKit({ ...withoutVersions, deviations }, { only: ['open/version'] });
  expect(report.isPassed).toBe(true);
  expect(report.results.map(({ reason }) => reason)).toContain('known: the server has none');
});

test('a deviation that passes fails the report', async () => {
  const deviations = { 'open/empty': 'fixed in the meantime' };
  const report = await runKit({ ...withoutVersions, deviations }, { only: ['open/empty'] });
  expect(report.isPassed).toBe(false);
  expect(formatReport(report)).toContain('UNEXPECTED  open/empty');
});

test('a deviation that fails sometimes may pass or fail', async () => {
  const flaky = { reason: 'a race of the server', fails: 'sometimes' } as const;
  const deviations = { 'open/empty': flaky, 'open/version': flaky };
  const report = await runKit(
    { ...withoutVersions, deviations, layers: ['bare'] },
    { only: ['open/empty', 'open/version'] },
  );
  expect(report.isPassed).toBe(true);
  expect(report.results.map(({ id, status }) => [id, status])).toEqual([
    ['open/empty', 'passed'],
    ['open/version', 'failed'],
  ]);
  expect(formatReport(report)).toContain('known to fail sometimes: a race of the server');
});

test('the details of a failure contain the compared numbers', async () => {
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
  for (const { details, id, status } of report.results) {
    expect([id, status, details]).toEqual([id, 'failed', expect.stringMatching(/\d.*\d/)]);
  }
  expect(report.results.length).toBeGreaterThan(3);
});

async function* shiftedBy(
  more: number,
  chunks: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  for await (const chunk of chunks) yield chunk.map((byte) => byte + more);
}

test('the timeout of the runner is longer than that of a case', () => {
  const limits: number[] = [];
  const runner = {
    describe: (_: string, body: () => void) => body(),
    test: (_: string, __: () => Promise<void>, timeoutMs: number) => limits.push(timeoutMs),
    before: () => undefined,
    after: () => undefined,
  };
  describeBackend(withoutVersions, runner);
  expect(Math.min(...limits)).toBeGreaterThan(CASE_MS_MAX);
  limits.length = 0;
  describeBackend(withoutVersions, runner, { caseMsMax: 500 });
  expect(Math.min(...limits)).toBeGreaterThan(500);
  expect(Math.max(...limits)).toBeLessThan(CASE_MS_MAX);
});

test('a case that hangs fails', async () => {
  const hangs: Case = {
    id: 'x/hangs',
    promise: 'It ends.',
    run: () => new Promise(() => undefined),
  };
  const setup = await withoutVersions.open();
  const result = await runCase(hangs, withoutVersions, setup, 'bare', { caseMsMax: 30 });
  expect(result).toMatchObject({ status: 'failed', details: 'timed out after 30 ms' });
});

test('a case can end as not tested', async () => {
  const skipped: Case = {
    id: 'x/not-tested',
    promise: 'It ends as not tested.',
    run: async ({ notTested }) => notTested('nothing to test'),
  };
  const result = await runCase(skipped, withoutVersions, await withoutVersions.open(), 'bare');
  expect(result).toMatchObject({
    status: 'not tested',
    reason: 'nothing to test',
    isExpected: true,
  });
});

test('onResult is called for each case at both layers', async () => {
  const reported: string[] = [];
  await runKit(withoutVersions, {
    only: [EMPTY_RANGES],
    onResult: ({ id, layer }) => reported.push(`${id} ${layer}`),
  });
  expect(reported).toEqual([`${EMPTY_RANGES} bare`, `${EMPTY_RANGES} wrapped`]);
});

test('every promise is a sentence and has an ID', () => {
  for (const { id, promise } of CASES) {
    expect(id).toMatch(/^[a-z-]+\/[a-z0-9-]+$/);
    expect(promise).toMatch(/^[A-Za-z0-9].+\.$/);
  }
});

test('under a runner, each case that can run is a test for each layer', () => {
  const names: string[] = [];
  const untested = describeBackend(
    { ...withoutVersions, deviations: { 'open/version': 'no versions' } },
    {
      describe: (_, body) => body(),
      test: (name) => names.push(name),
      before: () => undefined,
      after: () => undefined,
    },
  );
  expect(names.filter((name) => name === 'open/empty')).toHaveLength(2);
  expect(names).toContain('open/version does not hold: no versions');
  expect(untested.get('capabilities/size-max')).toBe('no sizeMax is claimed');
  expect(names).not.toContain('capabilities/size-max');
});

test('node:test can run the kit', () => {
  const file = fileURLToPath(new URL('node-test-main.mjs', import.meta.url));
  const { stdout, status } = spawnSync(process.execPath, ['--test-reporter=tap', file], {
    encoding: 'utf8',
  });
  expect(stdout).toMatch(/# pass [1-9]\d+\n# fail 0/);
  expect(status).toBe(0);
}, 120_000);
