/**
 * The process that replicates for an application (`openSluice`).
 *
 *  the application closes Sluice, or ends in any way   a last sync, then the process ends
 *  SIGINT, SIGTERM, SIGHUP                             nothing: they reach the application too, which decides
 *  an error that nobody caught                         the process ends at once, and the application starts another
 */

import { traceSpans } from '../spans.ts';
import { isBrokenInvariant, messageOf } from '../../error.ts';
import { ownerOfEscaped } from '../../store/policy/contained.ts';
import type { FromHost, ToHost } from '../messages.ts';
import { toHostFailure } from '../messages.ts';
import { Host } from './host.ts';

/** Time to tell the application why. */
const CRASH_MS_MAX = 1_000;
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

const host = new Host(send, crash);
let isEnding = false;

for (const signal of SIGNALS) process.on(signal, () => undefined);
process.on('uncaughtException', onEscaped);
process.on('unhandledRejection', onEscaped);
process.on('disconnect', () => {
  host.credentials.gone();
  void end();
});
process.on('message', (message: ToHost) => {
  switch (message.kind) {
    case 'start':
      process.title = `sluice ${message.options.databases.map(({ options }) => options.path).join(' ')}`;
      void traceSpans(); // until this process ends
      host.start(message.options).catch(refuse);
      return;
    case 'call':
      void host.call(message.id, message.call);
      return;
    case 'abort':
      host.abort(message.id);
      return;
    case 'credentials':
      host.credentials.answered(message.id, message.value);
      return;
    case 'no credentials':
      host.credentials.failed(message.id, message.message);
      return;
    case 'close':
      void end();
      return;
  }
});

function send(message: FromHost, then?: () => void): void {
  if (!process.connected) {
    then?.();
    return;
  }
  process.send?.(message, () => then?.()); // if the application ends meanwhile, nobody misses it
}

/** The host has closed everything. */
function refuse(error: unknown): void {
  if (isEnding) return;
  send({ kind: 'refused', failure: toHostFailure(error) }, () => process.exit(0));
}

async function end(): Promise<void> {
  if (isEnding) return;
  isEnding = true;
  const { closed, report } = await host.end();
  // A thread that hangs in a system call would keep process.exit waiting.
  const exit = (): void => {
    if (closed === 'hangs') process.kill(process.pid, 'SIGKILL');
    process.exit(0);
  };
  send({ kind: 'closed', report }, exit);
}

/** An error that escaped from the backend of a destination fails that destination alone. */
function onEscaped(error: unknown): void {
  const owner = isBrokenInvariant(error) ? undefined : ownerOfEscaped();
  if (owner === undefined) {
    crash(error);
    return;
  }
  host.logger.error(`an error escaped from the backend of ${owner.name}: ${messageOf(error)}`, {
    target: owner.name,
  });
  owner.escaped(error);
}

function crash(error: unknown): void {
  const message = error instanceof Error ? (error.stack ?? error.message) : String(error);
  setTimeout(() => process.exit(1), CRASH_MS_MAX); // whatever becomes of the message
  send({ kind: 'crash', message }, () => process.exit(1));
}
