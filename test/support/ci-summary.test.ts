import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { temporaryFolder } from './temporary.ts';

const SUMMARY = path.resolve(import.meta.dirname, '..', '..', '.ci', 'summary.mjs');
const WAITING = 'minio (minio not installed) writes';

type Outcome = readonly [name: string, status: 'passed' | 'failed' | 'pending'];

/** The last line and the exit code of CI's summary for these files. */
function summary(
  files: Readonly<Record<string, string | readonly Outcome[]>>,
): readonly [string, number | null] {
  const folder = temporaryFolder('summary');
  for (const [name, content] of Object.entries(files)) {
    const text = typeof content === 'string' ? content : JSON.stringify(report(content));
    fs.writeFileSync(path.join(folder, name), text);
  }
  const { stdout, status } = spawnSync(process.execPath, [SUMMARY, folder], { encoding: 'utf8' });
  return [stdout.trim().split('\n').at(-1) ?? '', status];
}

/** A report as from vitest's json reporter. Without outcomes, a file that could not be loaded. */
function report(outcomes: readonly Outcome[]): unknown {
  const assertionResults = outcomes.map(([fullName, status]) => ({ fullName, status }));
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
