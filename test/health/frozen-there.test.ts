/**
 * One stage after the other between a staged file and its destination stands still. In each case status,
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
  { name: 'a listing', freeze: ['hang-list', 'backup'], stage: 'send', exitCode: 3 },
  { name: 'an upload', freeze: ['hang-upload', 'backup/ltx/0/'], stage: 'send', exitCode: 3 },
  {
    name: 'an upload, on a full disk',
    freeze: ['full-upload', 'backup/ltx/0/'],
    stage: 'send',
    exitCode: 3,
  },
  {
    name: 'a snapshot being sent',
    freeze: ['hang-snapshot', 'backup/ltx/9/'],
    stage: 'snapshot',
    keys: 'snapshot: { interval: 1s }',
    exitCode: 3,
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
