/** Prints the files that a restore would read: -dry-run. */

import { formatBytes } from '@sluice/core/config';
import { formatFilename, formatTXID } from '@sluice/core/ltx';
import { describeMoment, momentToJSON } from './restoring/chosen.ts';
import type { Candidate } from './restoring/survey.ts';
import { printJSON, type Shell } from './shell.ts';

export function printPlan(
  { destination, plan }: Candidate,
  output: string,
  form: 'json' | 'text',
  shell: Shell,
): void {
  const files = plan.files.map((file) => ({
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
      source: destination.target,
      target_path: output,
      replica: destination.name,
      min_txid: files[0]?.min_txid,
      max_txid: txid,
      ...momentToJSON(plan.moment),
      files,
    });
    return;
  }
  const lines = files.map(({ level, name, size }) => `  level ${level}  ${name}  ${size} bytes`);
  shell.stdout.write(
    `would restore ${output} from ${destination.name} (${destination.target}) as of TXID ${txid}, ` +
      `reading ${files.length} files, ${formatBytes(plan.sizeBytes)}:\n${lines.join('\n')}\n`,
  );
  if (plan.moment === undefined) return;
  const { doubt } = plan.moment;
  shell.stdout.write(`${describeMoment(plan.moment)}\n${doubt === undefined ? '' : `${doubt}\n`}`);
}
