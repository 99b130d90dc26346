/** Prints the files that a restore would read: -dry-run. */

import { formatBytes } from '@sluice/core/config';
import { describeV03 } from '@sluice/core';
import { formatFilename, formatTXID } from '@sluice/core/ltx';
import type { DestinationConfig } from './config/model.ts';
import { listOf, type Across } from './restoring/across.ts';
import { describeMoment, momentToJSON } from './restoring/chosen.ts';
import { describeOld, type OldCandidate } from './restoring/old.ts';
import type { Candidate, LTXCandidate } from './restoring/survey.ts';
import { printJSON, type Shell } from './shell.ts';

export function printPlan(
  candidate: Candidate,
  output: string,
  form: 'json' | 'text',
  shell: Shell,
): void {
  if (candidate.layout === 'ltx') printLTXPlan(candidate, output, form, shell);
  else printOldPlan(candidate, output, form, shell);
}

function printOldPlan(
  candidate: OldCandidate,
  output: string,
  form: 'json' | 'text',
  shell: Shell,
): void {
  const { destination, plan, note } = candidate;
  const files = [plan.snapshot, ...plan.segments].map((file) => ({
    name: describeV03(file),
    size: file.sizeBytes,
    timestamp: file.modifiedAt.toISOString(),
  }));
  if (form === 'json') {
    printJSON(shell, {
      source: destination.target,
      target_path: output,
      replica: destination.name,
      generation: plan.generation.id,
      timestamp: plan.at.toISOString(),
      files,
    });
    return;
  }
  const lines = files.map(({ name, size }) => `  ${name}  ${size} bytes`);
  shell.stdout.write(
    `would restore ${output} from ${destination.name} (${destination.target}), ${describeOld(candidate)}, ` +
      `reading ${files.length} files, ${formatBytes(plan.sizeBytes)}:\n${lines.join('\n')}\n`,
  );
  if (note !== undefined) shell.stdout.write(`${note}\n`);
}

function printLTXPlan(
  candidate: LTXCandidate,
  output: string,
  form: 'json' | 'text',
  shell: Shell,
): void {
  const { destination, plan, note, across } = candidate;
  const places = across === undefined ? [destination] : placesOf(across);
  const files = plan.files.map((file, index) => ({
    replica: across?.plan.files[index]?.source.name,
    level: file.level,
    name: formatFilename(file.minTXID, file.maxTXID),
    min_txid: formatTXID(file.minTXID),
    max_txid: formatTXID(file.maxTXID),
    size: file.sizeBytes,
    timestamp: (file.createdAt ?? file.modifiedAt).toISOString(),
  }));
  const txid = formatTXID(plan.txid);
  if (form === 'json') {
    printJSON(shell, {
      source: places[0]?.target,
      target_path: output,
      replica: places[0]?.name,
      min_txid: files[0]?.min_txid,
      max_txid: txid,
      ...momentToJSON(plan.moment),
      files,
    });
    return;
  }
  const lines = files.map(
    ({ level, name, size, replica }) =>
      `  level ${level}  ${name}  ${size} bytes${places.length > 1 ? `  ${replica}` : ''}`,
  );
  const from = listOf(places.map(({ name, target }) => `${name} (${target})`));
  shell.stdout.write(
    `would restore ${output} from ${from} as of TXID ${txid}, ` +
      `reading ${files.length} files, ${formatBytes(plan.sizeBytes)}:\n${lines.join('\n')}\n`,
  );
  if (note !== undefined) shell.stdout.write(`${note}\n`);
  if (plan.moment === undefined) return;
  const { doubt } = plan.moment;
  shell.stdout.write(`${describeMoment(plan.moment)}\n${doubt === undefined ? '' : `${doubt}\n`}`);
}

/** The destinations that files are read from, the nearest first. */
export function placesOf({ destinations, plan: { files } }: Across): readonly DestinationConfig[] {
  const names = new Set(files.map(({ source }) => source.name));
  return destinations.filter(({ name }) => names.has(name));
}
