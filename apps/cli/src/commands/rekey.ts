/** sluice rekey: encrypts the files of destinations again. If one fails, the others still get their turn. */

import { defaultMetaPath, rekey, type RekeyReport } from '@sluice/core';
import { formatBytes } from '@sluice/core/config';
import { usageError, type Arguments } from '../args.ts';
import type { DestinationConfig } from '../config/model.ts';
import { Destinations } from '../destinations.ts';
import { visitEach } from '../each-destination.ts';
import { createLogger } from '../log.ts';
import { ProgressBar } from '../progress.ts';
import { select } from '../select.ts';
import { printJSON, type Shell } from '../shell.ts';

interface Row {
  readonly destination: DestinationConfig;
  readonly report: RekeyReport;
}

export async function run(args: Arguments, shell: Shell): Promise<number> {
  const { secrets, stderr } = shell;
  const logger = createLogger({ level: 'warn', type: 'text', stream: stderr, secrets });
  const { database, destinations } = await select(args, shell);
  if (database === undefined) {
    throw usageError(args.command, 'name a database: its configuration has the recipients');
  }
  const encrypted = destinations.filter(({ encryption }) => encryption !== undefined);
  if (encrypted.length === 0) {
    throw usageError(
      args.command,
      'no destination of the database has encryption; add it, with its recipients',
    );
  }
  const { path, metaPath = defaultMetaPath(path) } = database.options;
  await using connections = new Destinations(logger, 'write');
  const rows: Row[] = [];
  const exitCode = await visitEach(encrypted, logger, async (destination, signal) => {
    const connected = await connections.connect(destination, signal);
    const bar = new ProgressBar(`encrypting ${destination.name}`, stderr);
    const report = await rekey({
      replica: connected.replica(destination.path),
      local: { database: path, metaPath, target: destination.target },
      onProgress: (doneBytes, totalBytes) => bar.update(doneBytes, totalBytes),
      signal,
    }).finally(() => bar.end());
    rows.push({ destination, report });
    if (!args.has('json')) shell.stdout.write(describe({ destination, report }));
  });
  if (args.has('json')) printJSON(shell, rows.map(toJSON));
  return exitCode;
}

function describe({ destination: { name, target, encryption }, report }: Row): string {
  const { files, sizeBytes } = report;
  const count = encryption?.recipients.length ?? 0;
  const recipients = count === 1 ? '1 recipient' : `${count} recipients`;
  return `${name} (${target}): ${files} files, ${formatBytes(sizeBytes)}, are encrypted for ${recipients}\n`;
}

function toJSON({ destination: { name, target }, report }: Row): object {
  return { replica: name, target, files: report.files, size: report.sizeBytes };
}
