/**
 * One stage after the other between a commit and its staged file stands still. In each case status,
 * its exit code, /healthz and /metrics say so within max-lag.
 */

import { expect, test } from 'vitest';
import { ASKING_MS, BAD, GOOD, MAX_LAG_MS, Scene } from './scene.ts';

interface Stage {
  readonly name: string;
  /** The file that freezes it, and its pattern. */
  readonly freeze: readonly [name: string, pattern?: string];
  /** What /healthz names. */
  readonly stage: string;
  readonly keys?: string;
  /** How the replicator ends while it is frozen. */
  readonly exitCode: number;
}

const STAGES: readonly Stage[] = [
  {
    name: 'the thread that follows it',
    freeze: ['thread'],
    stage: 'thread',
    exitCode: 9,
  },
  { name: 'looking at the log', freeze: ['timers'], stage: 'look', exitCode: 0 },
  { name: 'a cut', freeze: ['hang-cut', 'cut-\\d+\\.tmp$'], stage: 'staging', exitCode: 9 },
  {
    name: 'a staged file getting its name',
    freeze: ['hang-publish', 'data/.*-sluice/ltx/0/'],
    stage: 'staging',
    exitCode: 9,
  },
  {
    name: 'staging, on a full disk',
    freeze: ['full-cut', 'cut-\\d+\\.tmp$'],
    stage: 'database',
    exitCode: 9,
  },
  {
    name: 'a snapshot being made',
    freeze: ['hang-snapshot', 'snapshot-\\d+\\.tmp$'],
    stage: 'image',
    keys: 'snapshot: { interval: 1s }',
    exitCode: 1,
  },
  {
    name: 'the record of what was sent',
    freeze: ['hang-record', 'destinations\\.json'],
    stage: 'record',
    exitCode: 1,
  },
  {
    name: 'the state file',
    freeze: ['hang-state', 'status\\.json'],
    stage: 'state file',
    exitCode: 1,
  },
];

test.each(STAGES)('$name stands still, and all four say so', async (stage) => {
  const scene = new Scene(stage.keys);
  const [name, pattern] = stage.freeze;
  await scene.start();
  await scene.untilAll(GOOD, 20_000);
  scene.freeze(name, pattern);
  const { problems } = await scene.untilAll(BAD, MAX_LAG_MS + ASKING_MS);
  expect(problems).toContain(stage.stage);
  const { code, stdout } = await scene.end();
  expect(code, stdout).toBe(stage.exitCode);
});
