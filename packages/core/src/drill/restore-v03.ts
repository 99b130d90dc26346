/** Restores the state that a drill examines from a backup of Litestream 0.3. Its states are uploads, not TXIDs. */

import fs from 'node:fs';
import { systemClock } from '../clock.ts';
import { ReplicationError } from '../error.ts';
import { systemFiles } from '../file-system.ts';
import { systemRandom, type Random } from '../random.ts';
import { listGenerations, type Generation } from '../v03/generations.ts';
import { databaseBytesIn, type V03Source } from '../v03/objects.ts';
import { planIfStored, planV03, type V03Plan, type V03Target } from '../v03/plan.ts';
import { restoreV03 } from '../v03/restore.ts';
import { surveyV03 } from '../v03/survey.ts';
import type { DrillOptions, DrillTarget, Seen } from './drill.ts';
import { requireRoom } from './room.ts';

/** A state without a TXID and a lineage: it equals no other. */
const UNKNOWN_STATE = { txid: 0n, lineage: 0n } as const;

/** Sets what was listed and restored in `seen`. */
export async function restoreOld(
  source: V03Source,
  output: string,
  options: DrillOptions,
  seen: Seen,
): Promise<void> {
  const {
    folder,
    scratchBytesMax,
    usable = 'all',
    onProgress,
    signal,
    random = systemRandom,
  } = options;
  const { clock = systemClock, files = systemFiles } = options;
  const generations = await listGenerations(source.client, source.root, { signal });
  // The newest state must be restorable, whichever state is restored.
  const survey = await surveyV03(source, generations, {}, signal);
  if (survey.kind === 'unusable') throw survey.error;
  const objects = generations.flatMap(({ snapshots, segments }) => [...snapshots, ...segments]);
  const newest = { ...UNKNOWN_STATE, at: survey.plan.at };
  seen.listed = { atMs: clock.now(), files: objects.length, newest };

  const target = toV03Target(options.target, generations, random);
  const { snapshot } = planV03(generations, target);
  // The WALs after the snapshot may add pages. A full disk is reported as such.
  const sizeBytes = await databaseBytesIn(source, snapshot, signal);
  await requireRoom({ folder, scratchBytesMax, usable, files }, sizeBytes);
  const report = await restoreV03({
    source,
    listed: generations,
    target,
    output,
    onProgress,
    signal,
    clock,
  });
  const { size: databaseBytes } = await fs.promises.stat(output);
  const unknown = { state: UNKNOWN_STATE, txid: undefined, pageSize: undefined };
  seen.restored = { ...report, databaseBytes, ...unknown };
}

function toV03Target(
  target: DrillTarget,
  generations: readonly Generation[],
  random: Random,
): V03Target {
  if (target.kind === 'latest') return {};
  if (target.kind === 'timestamp') return { at: target.at };
  if (target.kind === 'random') return pickUpload(generations, random);
  throw new ReplicationError(
    'RESTORE_OUT_OF_RANGE',
    'a backup of Litestream 0.3 has no TXIDs: drill a time (-timestamp), or leave out -txid',
  );
}

/** One of the states that can be restored; there is at least one. */
export function pickUpload(generations: readonly Generation[], random: Random): V03Target {
  const plans = new Map<string, V03Target>();
  for (const { id: generation, snapshots, segments } of generations) {
    for (const { modifiedAt: at } of [...snapshots, ...segments]) {
      const target = { generation, at };
      const plan = planIfStored((): V03Plan => planV03(generations, target));
      if (plan !== undefined) plans.set(`${generation} ${plan.at.getTime()}`, target);
    }
  }
  const targets = [...plans.values()];
  return targets[Math.floor(random.fraction() * targets.length)] ?? {};
}
