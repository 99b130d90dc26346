/** sluice ltx: lists the files of destinations. If one fails, the others are still listed. */

import type { Logger } from '@sluice/core/backend';
import type { LTXFileInfo } from '@sluice/core/backend/testing';
import { formatFilename, formatTXID } from '@sluice/core/ltx';
import { usageError, type Arguments } from '../args.ts';
import type { DestinationConfig } from '../config/model.ts';
import { Destinations } from '../destinations.ts';
import { namesOf, visitEach } from '../each-destination.ts';
import { createLogger } from '../log.ts';
import { select } from '../select.ts';
import { printJSON, printTable, type Shell } from '../shell.ts';

interface Row {
  readonly destination: DestinationConfig;
  readonly file: LTXFileInfo;
}

export async function run(args: Arguments, shell: Shell): Promise<number> {
  const level = parseLevel(args);
  const { secrets, stderr } = shell;
  const logger = createLogger({ level: 'warn', type: 'text', stream: stderr, secrets });
  if (args.command.support.kind === 'noted') logger.warn(args.command.support.note);
  const { destinations } = await select(args, shell);
  await using connections = new Destinations(logger, 'read');
  const rows: Row[] = [];
  const exitCode = await visitEach(destinations, logger, async (destination, signal) => {
    const { client } = await connections.open(destination, signal);
    for await (const file of client.listFiles(level, { signal, generations: 'known' })) {
      rows.push({ destination, file });
    }
    if ((await client.hasGenerations?.({ signal })) === true) noteOld(destination, logger);
  });
  if (rows.length === 0 && exitCode === 0) {
    logger.warn(`there are no LTX files at level ${level} at ${namesOf(destinations)}`);
  }
  if (args.has('json')) printJSON(shell, rows.map(toJSON));
  else {
    printTable(
      shell,
      ['replica', 'level', 'min_txid', 'max_txid', 'size', 'created'],
      rows.map(toCells),
    );
  }
  return exitCode;
}

function noteOld({ name, target }: DestinationConfig, logger: Logger): void {
  logger.warn(
    `${name} (${target}) has a backup of Litestream 0.3, which is not listed here: use "sluice generations"`,
  );
}

function toCells({ destination, file }: Row): string[] {
  const { level, minTXID, maxTXID, sizeBytes } = file;
  return [
    destination.name,
    String(level),
    formatTXID(minTXID),
    formatTXID(maxTXID),
    String(sizeBytes),
    timeOf(file),
  ];
}

/** Litestream's keys, plus `name` and `replica`. */
function toJSON({ destination, file }: Row): object {
  const { level, minTXID, maxTXID, sizeBytes } = file;
  return {
    level,
    min_txid: formatTXID(minTXID),
    max_txid: formatTXID(maxTXID),
    size: sizeBytes,
    timestamp: timeOf(file),
    name: formatFilename(minTXID, maxTXID),
    replica: destination.name,
  };
}

function timeOf(file: LTXFileInfo): string {
  return (file.createdAt ?? file.modifiedAt).toISOString();
}

/** Level 0 by default, as in Litestream. */
function parseLevel(args: Arguments): number | 'all' {
  const text = args.text('level') ?? '0';
  if (text === 'all') return 'all';
  if (/^[0-9]$/.test(text)) return Number(text);
  throw usageError(args.command, `-level is 0 to 9, or all, not "${text}"`);
}
