import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { temporaryFolder } from './temporary.ts';

const SUMMARY = path.resolve(import.meta.dirname, '..', '..', '.ci', 'summary.mjs');
const WAITING = 'minio (minio not installed) writes';

type Outcome = readonly [name: string, status: 'passed' | 'failed' | 'pending'];

/** The last line that CI prints, and its exit code, for these files. */
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

/** As vitest's json reporter writes it; no outcomes = a file that could not be loaded. */
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

test('a test that fails in one of two runs has failed', () => {
  const files = {
    'bare.vitest.json': [['x', 'failed']],
    'required.vitest.json': [['x', 'passed']],
  } as const;
  expect(summary(files)).toEqual(['0 passed, 1 failed', 1]);
});

test('a test may wait for a tool before the tools are installed', () => {
  const files = {
    'bare.vitest.json': [
      ['x', 'passed'],
      [WAITING, 'pending'],
    ],
  } as const;
  expect(summary(files)).toEqual(['1 passed, 0 failed', 0]);
});

test('a test that is skipped afterwards has failed', () => {
  const files = {
    'required.vitest.json': [
      ['x', 'passed'],
      [WAITING, 'pending'],
    ],
  } as const;
  expect(summary(files)).toEqual(['1 passed, 1 failed', 1]);
});

test('a test that is skipped for no named reason has failed', () => {
  const files = {
    'bare.vitest.json': [
      ['x', 'passed'],
      ['y', 'pending'],
    ],
  } as const;
  expect(summary(files)).toEqual(['1 passed, 1 failed', 1]);
});

test('a file of tests that cannot be loaded has failed', () => {
  const files = { 'bare.vitest.json': [['x', 'passed']], 'required.vitest.json': [] } as const;
  expect(summary(files)).toEqual(['1 passed, 1 failed', 1]);
});

test('a step that fails without a failed test is a failure of its own', () => {
  const files = { 'bare.vitest.json': [['x', 'passed']], 'failed-steps.txt': 'check\n' } as const;
  expect(summary(files)).toEqual(['1 passed, 1 failed', 1]);
});

test('a step whose tests failed is not counted besides', () => {
  const files = { 'bare.vitest.json': [['x', 'failed']], 'failed-steps.txt': 'bare\n' } as const;
  expect(summary(files)).toEqual(['0 passed, 1 failed', 1]);
});

test('nothing tried is no success', () => {
  expect(summary({})).toEqual(['0 passed, 0 failed', 1]);
});
