/** sluice promote */

import { promote } from '@sluice/core';
import { usageError, type Arguments } from '../args.ts';
import { EXIT_CODES } from '../exit-codes.ts';
import { interruptible } from '../interrupt.ts';
import { printJSON, type Shell } from '../shell.ts';

const MODES = ['none', 'quick', 'full'] as const;

export async function run(args: Arguments, shell: Shell): Promise<number> {
  const { command } = args;
  const [output] = args.positionals;
  if (output === undefined) throw usageError(command, 'name the warm copy');
  const text = args.text('integrity-check') ?? 'quick';
  const integrityCheck = MODES.find((mode) => mode === text);
  if (integrityCheck === undefined) {
    throw usageError(command, `-integrity-check is none, quick or full, not "${text}"`);
  }
  const report = await interruptible((signal) => promote({ output, integrityCheck, signal }));
  const { txid, timestamp, journalMode } = report;
  if (args.has('json')) {
    printJSON(shell, { db_path: output, txid, timestamp, journal_mode: journalMode });
  } else {
    const mode = journalMode === 'wal' ? 'in WAL mode, like its source' : 'in rollback mode';
    shell.stdout.write(
      `${output} is an ordinary database now, ${mode}: TXID ${txid}, written at ${timestamp}\n`,
    );
  }
  return EXIT_CODES.ok;
}
