/**
 * Stalls each stage between a staged file and its destination. Status, its exit code, /status and
 * /metrics must report it within max-lag.
 */

import { expect, test } from 'vitest';
import { READING_MS, UNHEALTHY, HEALTHY, MAX_LAG_MS, Scene } from './scene.ts';

interface Stage {
  readonly name: string;
  /** The file in $FREEZE that stalls the stage, and its pattern. */
  readonly freeze: readonly [name: string, pattern?: string];
  /** Name of the stage in /status. */
  readonly stage: string;
  readonly keys?: string;
  /** Exit code of the replicator when it is stopped during the stall. */
  readonly exitCode: number;
}

const STAGES: readonly Stage[] = [
  { name: 'listing the destination', freeze: ['hang-list', 'backup'], stage: 'send', exitCode: 3 },
  { name: 'uploading', freeze: ['hang-upload', 'backup/ltx/0/'], stage: 'send', exitCode: 3 },
  {
    name: 'uploading to a full disk',
    freeze: ['full-upload', 'backup/ltx/0/'],
    stage: 'send',
    exitCode: 3,
  },
  {
    name: 'uploading a snapshot',
    freeze: ['hang-snapshot', 'backup/ltx/9/'],
    stage: 'snapshot',
    keys: 'snapshot: { interval: 1s }',
    exitCode: 3,
  },
];

test.each(STAGES)(
  'a stall is reported by status, exit code, /status and /metrics: $name',
  async (stage) => {
    const scene = new Scene(stage.keys);
    const [name, pattern] = stage.freeze;
    await scene.start();
    await scene.waitForAll(HEALTHY, 20_000);
    scene.freeze(name, pattern);
    await scene.waitForAll(UNHEALTHY, MAX_LAG_MS + READING_MS, stage.stage);
    const { code, stdout } = await scene.end();
    expect(code, stdout).toBe(stage.exitCode);
  },
);
