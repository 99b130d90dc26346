/**
 * Runs an engine in its own process, which can be killed. Commands arrive as messages. The source
 * folder is an argument, so that sources with a planted bug can be run.
 */

import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import type { Engine } from '../../../src/database/engine.ts';
import type { EngineEvent } from '../../../src/database/events.ts';
import type { DatabaseOptions } from '../../../src/database/options.ts';

export type HostCommand =
  | { kind: 'sync'; call: number }
  | { kind: 'snapshot' }
  | { kind: 'image' }
  | { kind: 'stats'; call: number }
  | { kind: 'close'; call: number };

export type HostReply =
  | { kind: 'event'; event: EngineEvent }
  | { kind: 'reply'; call: number; txid?: string | undefined; stats?: unknown };

const [src = '', optionsText = '{}'] = process.argv.slice(2);
const load = async (file: string): Promise<unknown> =>
  await import(pathToFileURL(path.join(src, file)).href);
const { Engine: EngineClass } = (await load('database/engine.ts')) as { Engine: typeof Engine };
const { createKernel } = (await load(
  'kernel/kernel.ts',
)) as typeof import('../../../src/kernel/kernel.ts');

const { systemClock } = (await load('clock.ts')) as typeof import('../../../src/clock.ts');
const { systemFiles } = (await load(
  'file-system.ts',
)) as typeof import('../../../src/file-system.ts');
const { systemRandom } = (await load('random.ts')) as typeof import('../../../src/random.ts');
const { Gauges } = (await load(
  'database/gauges.ts',
)) as typeof import('../../../src/database/gauges.ts');

const options = JSON.parse(optionsText) as DatabaseOptions;
const post = (reply: HostReply): void => {
  const text = JSON.stringify(reply, (_, value: unknown) =>
    typeof value === 'bigint' ? value.toString() : value,
  );
  process.send?.(text);
};

const LISTING_MS_MAX = 200;
let head = 0n;
let begun: Promise<void> = Promise.resolve();
const engine = new EngineClass({
  options,
  kernel: createKernel(),
  clock: systemClock,
  random: systemRandom,
  files: systemFiles,
  gauges: Gauges.create(systemClock.monotonic()),
  // Small enough that large transactions do not fit, and their frames are read from the log.
  tailBytesMax: 128 * 1024,
  // Small enough that looks often end inside a transaction.
  tickBytesMax: 16 * 1024,
  emit: (event) => {
    post({ kind: 'event', event });
    if (event.kind === 'staged' && event.file.maxTXID > head) head = event.file.maxTXID;
    if (event.kind === 'opened') {
      head = event.staged.at(-1)?.file.maxTXID ?? 0n;
      // Some images are taken although checksums are known. Without regard to `lastTXID`, unlike
      // replicate/beginning.ts, so that checksums alone decide.
      const isCompared = event.checksummed !== undefined && Math.random() < 0.8;
      const unproved = isCompared ? 'changes' : 'image';
      const mode = event.proved === undefined ? unproved : 'resume';
      // The TXID of some images jumps ahead, as if a destination were ahead.
      const floor = head + (mode === 'image' && Math.random() < 0.2 ? 7n : 0n);
      // The delay stands for the listing of destinations.
      const delayMs = Math.random() < 0.5 ? 0 : Math.random() * LISTING_MS_MAX;
      begun = sleep(delayMs).then(() => engine.begin({ mode, floor, why: event.why ?? '' }));
    }
  },
});
engine.start();

process.on('message', (command: HostCommand) => {
  switch (command.kind) {
    case 'sync':
      void begun
        .then(() => engine.sync())
        .catch(() => undefined) // the failure is also an event
        .then((txid) => post({ kind: 'reply', call: command.call, txid: txid?.toString() }));
      return;
    case 'snapshot':
      engine.snapshot();
      return;
    case 'image':
      engine.image({ floor: head, why: 'requested' });
      return;
    case 'stats':
      post({ kind: 'reply', call: command.call, stats: engine.stats() });
      return;
    case 'close':
      void engine.close().then(() => post({ kind: 'reply', call: command.call }));
      return;
  }
});
process.on('disconnect', () => process.exit(0));
