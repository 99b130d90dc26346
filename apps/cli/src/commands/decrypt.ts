/** sluice decrypt: copies the files of one destination to a place where they are not encrypted. */

import path from 'node:path';
import { decryptReplica } from '@sluice/core';
import { formatBytes } from '@sluice/core/config';
import { usageError, type Arguments } from '../args.ts';
import type { DestinationConfig } from '../config/model.ts';
import { destinationFromURL } from '../config/replica.ts';
import { Destinations } from '../destinations.ts';
import { interruptible } from '../interrupt.ts';
import { createLogger } from '../log.ts';
import { ProgressBar } from '../progress.ts';
import { select } from '../select.ts';
import { printJSON, type Shell } from '../shell.ts';

export async function run(args: Arguments, shell: Shell): Promise<number> {
  const { secrets, stderr, environment } = shell;
  const logger = createLogger({ level: 'warn', type: 'text', stream: stderr, secrets });
  const url = args.text('to');
  if (url === undefined) throw usageError(args.command, 'say where to with -to URL');
  const from = chooseOne((await select(args, shell)).destinations, args);
  const target = await destinationFromURL(url, path.resolve(), secrets, environment);
  const to = { ...target, encryption: undefined };
  if (to.place === from.place) throw usageError(args.command, `-to is the backup itself: ${url}`);
  await using reading = new Destinations(logger, 'read');
  await using writing = new Destinations(logger, 'write');
  const bar = new ProgressBar(`decrypting ${from.name}`, stderr);
  await interruptible(async (signal) => {
    const report = await decryptReplica({
      from: (await reading.connect(from, signal)).replica(from.path),
      to: (await writing.connect(to, signal)).replica(to.path),
      onProgress: (doneBytes, totalBytes) => bar.update(doneBytes, totalBytes),
      signal,
    }).finally(() => bar.end());
    const { written, kept, sizeBytes } = report;
    if (args.has('json')) {
      printJSON(shell, { from: from.target, to: to.target, written, kept, size: sizeBytes });
      return;
    }
    const before = kept === 0 ? '' : `; ${kept} were there before`;
    shell.stdout.write(
      `decrypted ${from.name} (${from.target}) to ${to.target}: ${written} files written${before}, ` +
        `${formatBytes(sizeBytes)} in all\n`,
    );
  });
  return 0;
}

/** The named destination, or the only encrypted one. */
function chooseOne(destinations: readonly DestinationConfig[], args: Arguments): DestinationConfig {
  const encrypted = destinations.filter(({ encryption }) => encryption !== undefined);
  const [only, ...others] = destinations.length === 1 ? destinations : encrypted;
  if (only === undefined) {
    throw usageError(args.command, 'no destination of the database has encryption');
  }
  if (others.length === 0) return only;
  const names = encrypted.map(({ name }) => name).join(', ');
  throw usageError(args.command, `choose one of ${names} with -replica`);
}
