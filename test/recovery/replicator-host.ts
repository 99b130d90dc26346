/**
 * A replicator in a process of its own, to be killed. It reports, synchronously, what is replicated:
 * the newest ledger row that it saw committed before a sync, once a destination has the TXID of it.
 * The folder of core's code is an argument (`dist`, or `src`), so that one with a planted error can be run.
 */

import fs from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { setTimeout as sleep } from 'node:timers/promises';
import Database from 'better-sqlite3';
import type { Replicator, ReplicaTarget } from '@sluice/core';
import { backend as file } from '@sluice/file';

const [code = '', database = '', reportFile = '', ...folders] = process.argv.slice(2);
const extension = path.basename(code) === 'src' ? '.ts' : '.js';
const load = async (name: string): Promise<unknown> =>
  await import(pathToFileURL(path.join(code, name + extension)).href);
const { replicate } = (await load('replicate/replicate')) as {
  replicate: typeof import('@sluice/core').replicate;
};
const { wrapDestination } = (await load('replica/wrap')) as {
  wrapDestination: typeof import('@sluice/core').wrapDestination;
};

const report = fs.openSync(reportFile, 'a');
const tell = (line: object): void => void fs.writeSync(report, `${JSON.stringify(line)}\n`);
const logger = {
  debug: () => undefined,
  info: (message: string) => tell({ kind: 'log', message }),
  warn: (message: string) => tell({ kind: 'log', message }),
  error: (message: string) => tell({ kind: 'error', message }),
};

function target(folder: string, index: number): ReplicaTarget {
  return {
    name: `at-${index}`,
    type: 'file',
    target: `file://${folder}`,
    open: async () => {
      const { config, path: replica } = file.parse({ type: 'file', path: folder });
      const wrapped = wrapDestination(await file.connect(config, { logger, access: 'write' }));
      return { client: wrapped.replica(replica), capabilities: wrapped.capabilities };
    },
  };
}

const replicator: Replicator = await replicate({
  databases: [
    {
      options: { path: database, syncIntervalMs: 200 },
      targets: folders.map(target),
    },
  ],
  logger,
  onCrash: (error) => {
    tell({ kind: 'error', message: error.message });
    process.exit(70);
  },
});

// Never closed: it shares the process with the connections of the replicator.
const reader = new Database(database, { readonly: true });
const newest = reader.prepare('SELECT max(id) AS id FROM ledger');
for (;;) {
  const { id } = newest.get() as { id: number | null };
  const txid = await replicator.sync(database);
  if (txid === undefined || id === null) {
    await sleep(10);
    continue;
  }
  const waiting = new Set(folders.map((_, index) => index));
  while (waiting.size > 0) {
    const [status] = replicator.status();
    for (const index of waiting) {
      const at = status?.destinations[index]?.txid;
      if (at === undefined || BigInt(`0x${at}`) < txid) continue;
      waiting.delete(index);
      tell({
        kind: 'replicated',
        destination: index,
        txid: txid.toString(),
        row: id,
        at: Date.now(),
      });
    }
    await sleep(5);
  }
  await sleep(Math.random() * 100);
}
