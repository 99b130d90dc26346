/** sluice ltx */

import {
  formatFilename,
  formatTXID,
  ReplicationError,
  type LTXFileInfo,
} from '@sluice/core/backend';
import type { Arguments } from '../args.ts';
import { Destinations } from '../destinations.ts';
import { createLogger } from '../log.ts';
import { select } from '../select.ts';
import { printTable } from '../table.ts';

export async function run(args: Arguments): Promise<number> {
  const level = parseLevel(args.text('level') ?? 'all');
  const { destinations } = await select(args);
  const logger = createLogger({ level: 'warn', type: 'text', stream: process.stderr });
  const open = new Destinations(logger, 'read');
  const rows: { name: string; file: LTXFileInfo }[] = [];
  try {
    for (const destination of destinations) {
      const { client } = await open.open(destination);
      for await (const file of client.listFiles(level)) rows.push({ name: destination.name, file });
    }
  } finally {
    await open.close();
  }
  if (args.has('json')) {
    process.stdout.write(`${JSON.stringify(rows.map(toJSON))}\n`);
    return 0;
  }
  printTable(
    ['replica', 'level', 'name', 'size', 'time'],
    rows.map(({ name, file }) => [
      name,
      String(file.level),
      formatFilename(file.minTXID, file.maxTXID),
      String(file.sizeBytes),
      timeOf(file),
    ]),
  );
  return 0;
}

function toJSON({ name, file }: { name: string; file: LTXFileInfo }): object {
  return {
    replica: name,
    level: file.level,
    min_txid: formatTXID(file.minTXID),
    max_txid: formatTXID(file.maxTXID),
    size: file.sizeBytes,
    timestamp: timeOf(file),
  };
}

function timeOf(file: LTXFileInfo): string {
  return (file.createdAt ?? file.modifiedAt).toISOString();
}

function parseLevel(text: string): number | 'all' {
  if (text === 'all') return 'all';
  if (/^[0-9]$/.test(text)) return Number(text);
  throw new ReplicationError('CONFIG_INVALID', `-level is 0 to 9, or all, not "${text}"`);
}
