import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { temporaryFolder } from './temporary.ts';

const SUMMARY = path.resolve(import.meta.dirname, '..', '..', '.ci', 'summary.mjs');
const WAITING = 'minio (minio not installed) writes';

type Outcome = readonly [
  name: string,
  status: 'passed' | 'failed' | 'pending',
  failureMessages?: readonly string[],
];
/** Contents by file name. */
type Files = Readonly<Record<string, string | readonly Outcome[]>>;

/** The last line and the exit code of CI's summary for these files. */
function summary(files: Files): readonly [string, number | null] {
  const { stdout, status } = summarize(files);
  return [stdout.trim().split('\n').at(-1) ?? '', status];
}

function summarize(files: Files): { readonly stdout: string; readonly status: number | null } {
  const folder = temporaryFolder('summary');
  for (const [name, content] of Object.entries(files)) {
    const text = typeof content === 'string' ? content : JSON.stringify(report(content));
    fs.writeFileSync(path.join(folder, name), text);
  }
  return spawnSync(process.execPath, [SUMMARY, folder], { encoding: 'utf8' });
}

/** A report as from vitest's json reporter. Without outcomes, a file that could not be loaded. */
function report(outcomes: readonly Outcome[]): unknown {
  const assertionResults = outcomes.map(([fullName, status, failureMessages = []]) => ({
    fullName,
    status,
    failureMessages,
  }));
  const isGood = outcomes.length > 0 && outcomes.every(([, status]) => status !== 'failed');
  return {
    testResults: [{ name: 'a.test.ts', status: isGood ? 'passed' : 'failed', assertionResults }],
  };
}

test('a test that passes in two runs counts once', () => {
  const files = {
    'bare.vitest.json': [['x', 'passed']],
    'required.vitest.json': [['x', 'passed']],
  } as const;
  expect(summary(files)).toEqual(['1 passed, 0 failed', 0]);
});

test('a test that fails in one of two runs counts as failed', () => {
  const files = {
    'bare.vitest.json': [['x', 'failed']],
    'required.vitest.json': [['x', 'passed']],
  } as const;
  expect(summary(files)).toEqual(['0 passed, 1 failed', 1]);
});

test('a test may be skipped for a missing tool in the run without tools', () => {
  const files = {
    'bare.vitest.json': [
      ['x', 'passed'],
      [WAITING, 'pending'],
    ],
  } as const;
  expect(summary(files)).toEqual(['1 passed, 0 failed', 0]);
});

test('a test that is skipped in the run with tools counts as failed', () => {
  const files = {
    'required.vitest.json': [
      ['x', 'passed'],
      [WAITING, 'pending'],
    ],
  } as const;
  expect(summary(files)).toEqual(['1 passed, 1 failed', 1]);
});

test('a test that is skipped without a reason counts as failed', () => {
  const files = {
    'bare.vitest.json': [
      ['x', 'passed'],
      ['y', 'pending'],
    ],
  } as const;
  expect(summary(files)).toEqual(['1 passed, 1 failed', 1]);
});

test('a test file that cannot be loaded counts as failed', () => {
  const files = { 'bare.vitest.json': [['x', 'passed']], 'required.vitest.json': [] } as const;
  expect(summary(files)).toEqual(['1 passed, 1 failed', 1]);
});

test('a failed step without failed tests counts as one failure', () => {
  const files = { 'bare.vitest.json': [['x', 'passed']], 'failed-steps.txt': 'check\n' } as const;
  expect(summary(files)).toEqual(['1 passed, 1 failed', 1]);
});

test('a failed step with failed tests is not counted twice', () => {
  const files = { 'bare.vitest.json': [['x', 'failed']], 'failed-steps.txt': 'bare\n' } as const;
  expect(summary(files)).toEqual(['0 passed, 1 failed', 1]);
});

test('a run without tests fails', () => {
  expect(summary({})).toEqual(['0 passed, 0 failed', 1]);
});

test('the messages of failed tests stand before their names, without colors', () => {
  const message =
    '\u001B[31mexpected 1 to be 2\u001B[39m\n    at a.test.ts:5:3\n    at node_modules/vitest';
  const files = {
    'bare.vitest.json': [
      ['x', 'failed', [message, message]],
      ['y', 'passed', []],
    ],
  } as const;
  expect(summarize(files).stdout.split('\n')).toEqual([
    '--- bare: a.test.ts > x',
    'expected 1 to be 2',
    '    at a.test.ts:5:3',
    '',
    'failed: a.test.ts > x',
    '1 passed, 1 failed',
    '',
  ]);
});

test('a long message is cut', () => {
  const lines = (count: number, text: string): string => `${text}\n`.repeat(count).trimEnd();
  const files = {
    'bare.vitest.json': [
      ['x', 'failed', [lines(31, 'line')]],
      ['y', 'failed', ['x'.repeat(3_001)]],
      ['z', 'failed', [lines(30, 'line')]],
    ],
  } as const;
  const [x, y, z] = summarize(files).stdout.split('\n\n');
  expect(x).toBe(`--- bare: a.test.ts > x\n${lines(30, 'line')}\n[cut]`);
  expect(y).toBe(`--- bare: a.test.ts > y\n${'x'.repeat(3_000)}\n[cut]`);
  expect(z).toBe(`--- bare: a.test.ts > z\n${lines(30, 'line')}`);
});
