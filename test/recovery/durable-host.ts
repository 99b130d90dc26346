/**
 * An application and its replicator in one process: writers commit rows and wait until they are durable.
 * Prints a line for each row that is: its number, and the destinations that have it. Ends only by a kill.
 *   node durable-host.ts SRC FOLDER
 */

import fs from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseConfig } from '@sluice/core/backend';
import { backend as file } from '@sluice/file';
import Database from 'better-sqlite3';

/** Times of a write. The destinations are seldom at the same TXID. */
const SLOW_MS = { a: 2, b: 25 } as const;
const WRITERS = 8;

const [src = '', folder = ''] = process.argv.slice(2);
const core = (await import(path.join(src, 'index.ts'))) as typeof import('@sluice/core');
const ignore = (): void => undefined;
const logger = { debug: ignore, info: ignore, warn: ignore, error: ignore };
const database = path.join(folder, 'app.db');
const db = new Database(database);
db.pragma('journal_mode=wal');
db.exec('CREATE TABLE IF NOT EXISTS t(v INTEGER PRIMARY KEY)');
const replicator = await core.replicate({
  databases: [
    {
      options: { path: database },
      targets: (['a', 'b'] as const).map((name) => ({
        name,
        type: 'file',
        target: name,
        open: async () => {
          const { config, path: root } = parseConfig(file, {
            type: 'file',
            path: path.join(folder, name),
          });
          const inner = await file.connect(config, { logger, access: 'write' });
          const destination = new core.Destination({
            name: inner.name,
            layout: inner.layout,
            capabilities: inner.capabilities,
            list: (prefix, options) => inner.list(prefix, options),
            get: (key, options) => inner.get(key, options),
            delete: (keys, options) => inner.delete(keys, options),
            close: () => inner.close(),
            put: async (key, body, options) => {
              await sleep(SLOW_MS[name]);
              return await inner.put(key, body, options);
            },
          });
          return { client: destination.replica(root), capabilities: destination.capabilities };
        },
      })),
    },
  ],
  logger,
  onCrash: (error) => {
    throw error;
  },
});

const insert = db.prepare('INSERT INTO t VALUES (?)');
let last = db.prepare('SELECT coalesce(max(v), 0) FROM t').pluck().get() as number;

async function write(writer: number): Promise<never> {
  for (;;) {
    const row = (last += 1);
    insert.run(row);
    const min = writer % 2 === 0 ? 1 : 'all';
    const { destinations } = await replicator.database(database).durable({ min });
    fs.writeSync(1, `${row} ${destinations.join(' ')}\n`);
    await sleep(Math.random() * 10);
  }
}

await Promise.all(Array.from({ length: WRITERS }, (_, writer) => write(writer)));
