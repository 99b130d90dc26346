/** A thread that watches databases: SQLite calls, WAL reading and encoding happen here. */

import { parentPort } from 'node:worker_threads';
import { systemClock } from '../clock.ts';
import { Engine } from '../database/engine.ts';
import { Gauges } from '../database/gauges.ts';
import { assert, isError, messageOf, ReplicationError } from '../error.ts';
import { systemFiles } from '../file-system.ts';
import { systemRandom } from '../random.ts';
import { createKernel } from '../kernel/kernel.ts';
import type { WorkerOrder, WorkerReply, WorkerResult } from './messages.ts';

assert(parentPort !== null, 'this file runs as a worker');
const port = parentPort;
const kernel = createKernel();
const engines = new Map<number, Engine>();
const gauges: Gauges[] = [];
/** So often a thread shows that it takes turns. One that is silent for several of these is stuck. */
const ALIVE_EVERY_MS = 500;
setInterval(() => {
  for (const each of gauges) each.set('aliveAt', systemClock.monotonic());
}, ALIVE_EVERY_MS);

function post(reply: WorkerReply): void {
  port.postMessage(reply);
}

function engineOf(database: number): Engine {
  const engine = engines.get(database);
  assert(engine !== undefined, `database ${database} is watched by this worker`);
  return engine;
}

function answer(call: number, work: Promise<WorkerResult>): void {
  work.then(
    (result) => post({ kind: 'reply', call, result }),
    (error: unknown) => {
      const code = isError(error) ? error.code : undefined;
      post({ kind: 'refused', call, code, message: messageOf(error) });
    },
  );
}

port.on('message', (order: WorkerOrder) => {
  const { database } = order;
  switch (order.kind) {
    case 'watch': {
      const own = new Gauges(order.memory);
      gauges.push(own);
      const engine = new Engine({
        options: order.options,
        sentEverywhere: order.sentEverywhere,
        kernel,
        emit: (event) => post({ kind: 'event', database, event }),
        clock: systemClock,
        random: systemRandom,
        files: systemFiles,
        gauges: own,
        tailBytesMax: order.options.tailBytesMax,
      });
      engines.set(database, engine);
      engine.start();
      return;
    }
    case 'begin':
      engineOf(database).begin(order.order);
      return;
    case 'image':
      engineOf(database).image(order);
      return;
    case 'snapshot':
      engineOf(database).snapshot();
      return;
    case 'reopen':
      engineOf(database).reopen(new ReplicationError('STAGING_FAILED', order.message));
      return;
    case 'sync':
      answer(
        order.call,
        engineOf(database)
          .sync()
          .then((txid) => ({ txid })),
      );
      return;
    case 'stats':
      answer(order.call, Promise.resolve({ stats: engineOf(database).stats() }));
      return;
    case 'close':
      answer(
        order.call,
        engineOf(database)
          .close()
          .then(() => ({})),
      );
      return;
  }
});
