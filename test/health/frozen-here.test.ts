/**
 * Stalls each stage between a commit and its staged file. Status, its exit code, /status and /metrics
 * must report it within max-lag.
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
  {
    name: 'the database thread',
    freeze: ['thread'],
    stage: 'thread',
    exitCode: 9,
  },
  { name: 'polling the WAL', freeze: ['timers'], stage: 'look', exitCode: 0 },
  {
    name: 'writing a staged file',
    freeze: ['hang-cut', 'cut-\\d+\\.tmp$'],
    stage: 'staging',
    exitCode: 9,
  },
  {
    name: 'renaming a staged file',
    freeze: ['hang-publish', 'data/.*-sluice/ltx/0/'],
    stage: 'staging',
    exitCode: 9,
  },
  {
    name: 'staging on a full disk',
    freeze: ['full-cut', 'cut-\\d+\\.tmp$'],
    stage: 'database',
    exitCode: 9,
  },
  {
    name: 'staging a snapshot',
    freeze: ['hang-snapshot', 'snapshot-\\d+\\.tmp$'],
    stage: 'image',
    keys: 'snapshot: { interval: 1s }',
    exitCode: 1,
  },
  {
    name: 'the record of sent files',
    freeze: ['hang-record', 'destinations\\.json'],
    stage: 'record',
    keys: 'levels: []', // otherwise files stay staged for a merge
    exitCode: 1,
  },
  {
    name: 'the state file',
    freeze: ['hang-state', 'status\\.json'],
    stage: 'state file',
    exitCode: 1,
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
