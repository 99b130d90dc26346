/** Worker thread that watches databases: SQLite calls, WAL reading and encoding happen here. */

import { workerData } from 'node:worker_threads';
import { systemClock } from '../clock.ts';
import { Engine } from '../database/engine.ts';
import { Gauges } from '../database/gauges.ts';
import { OpenDatabases } from '../database/open-databases.ts';
import { assert, ReplicationError } from '../error.ts';
import { systemFiles } from '../file-system.ts';
import { createKernel } from '../kernel/kernel.ts';
import { systemRandom } from '../random.ts';
import { serve } from '../threads/serve.ts';
import type { WatchEvent, WatchService, WatchThreadData } from './watch-pool.ts';

const kernel = createKernel();
const openDatabases = new OpenDatabases();
const watched = new Map<number, Engine>();
/** Interval at which a thread updates `aliveAt`. A thread that misses several updates is stuck. */
const ALIVE_INTERVAL_MS = 500;
const ofThread = new Gauges((workerData as WatchThreadData).memory);
setInterval(() => ofThread.set('aliveAt', systemClock.monotonic()), ALIVE_INTERVAL_MS);

function engineOf(database: number): Engine {
  const found = watched.get(database);
  assert(found !== undefined, `database ${database} is watched by this thread`);
  return found;
}

const emit: (event: WatchEvent) => void = serve<WatchService>({
  watch({ database, order }) {
    const { options, sentEverywhere, memory } = order;
    const engine = new Engine({
      options,
      sentEverywhere,
      kernel,
      emit: (event) => emit({ database, event }),
      clock: systemClock,
      random: systemRandom,
      files: systemFiles,
      gauges: new Gauges(memory),
      openDatabases,
      tailBytesMax: options.tailBytesMax,
    });
    watched.set(database, engine);
    engine.start();
  },
  begin: ({ database, order }) => engineOf(database).begin(order),
  image: ({ database, floor, why }) => engineOf(database).image({ floor, why }),
  snapshot: ({ database }) => engineOf(database).snapshot(),
  reopen({ database, message }) {
    engineOf(database).reopen(new ReplicationError('STAGING_FAILED', message));
  },
  sync: ({ database }) => engineOf(database).sync(),
  expectSync: ({ database }) => engineOf(database).expectSync(),
  async close({ database }) {
    await engineOf(database).close();
    watched.delete(database);
  },
});
