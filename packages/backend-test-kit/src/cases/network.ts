/** Connections that do not work: the server never responds, or the connection was closed. */

import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';

import { CLOSE_MS_MAX, isError, messageOf, type ReplicaClient } from '@sluice/core/backend';
import { Replica } from '@sluice/core/backend/testing';

import type { Case } from '../case.ts';
import type { CaseContext } from '../context.ts';
import {
  assertAtMost,
  assertBytes,
  bodyOf,
  list,
  names,
  pattern,
  read,
  ref,
  write,
} from '../helpers.ts';

const FILE = ref(0, 1);
/** Enough time to connect on this machine and send a request. */
const WAIT_MS = 40;
/** Contract rule 3: an aborted call rejects within one second. The rest is for busy machines. */
const ABORT_MS_MAX = 1_500;

interface Call {
  readonly what: string;
  readonly make: (replica: Replica, signal?: AbortSignal) => Promise<unknown>;
}

/** Every method, because any of them may be the first to use a connection. */
const CALLS: readonly Call[] = [
  { what: 'list', make: (replica, signal) => Array.fromAsync(replica.listFiles(0, { signal })) },
  { what: 'open', make: (replica, signal) => replica.openFile(FILE, { signal }) },
  {
    what: 'write',
    make: (replica, signal) => replica.writeFile(ref(0, 2), bodyOf(pattern(9, 2)), { signal }),
  },
  { what: 'delete', make: (replica, signal) => replica.deleteFiles([FILE], { signal }) },
];

export const networkCases: readonly Case[] = [
  {
    id: 'errors/a-server-that-never-answers',
    promise:
      'Calls to a server that accepts connections and never responds can be aborted, and close() ends them.',
    needs: ['silent'],
    async run(context) {
      const silent = await openSilent(context);
      const replica = new Replica(silent, context.path);
      await Promise.all(CALLS.map((call) => assertAborts(call, replica)));
      const calls = CALLS.map(async ({ what, make }) => ({
        what,
        failure: await failureOf(make(replica)),
      }));
      await sleep(WAIT_MS);
      const since = performance.now();
      await context.close(silent);
      for (const { what, failure } of await Promise.all(calls)) {
        assert(isError(failure, 'REPLICA_CLOSED'), `${what} ended with ${messageOf(failure)}`);
      }
      assertAtMost(
        performance.now() - since,
        CLOSE_MS_MAX + 500,
        'ms from close() to the end of the last call',
      );
    },
  },
  {
    id: 'errors/a-connection-cut-while-idle',
    promise:
      'If an idle connection is cut, at most one call fails with REPLICA_UNAVAILABLE; the next one reconnects.',
    needs: ['cuttable'],
    async run({ wrap, path, note, setup }) {
      const cuttable = await setup.cuttable!();
      const client = new Replica(wrap(cuttable.client), path);
      let failures = 0;
      for (const { what, make } of CALLS) {
        await write(client, FILE, pattern(9, 1)); // leaves an idle connection
        await cuttable.cut();
        const failure = await failureOf(make(client));
        if (failure === undefined) continue;
        failures += 1;
        assert(
          isError(failure, 'REPLICA_UNAVAILABLE'),
          `${what} after a cut: ${messageOf(failure)}`,
        );
        const second = await failureOf(make(client));
        assert(second === undefined, `${what} after a cut, second call: ${messageOf(second)}`);
      }
      await write(client, FILE, pattern(9, 3));
      assertBytes(await read(client, FILE), pattern(9, 3));
      assert.deepEqual(names(await list(client, 0)), names([FILE, ref(0, 2)]));
      note(`${failures} of ${CALLS.length} calls after a cut failed once`);
    },
  },
];

async function openSilent({ wrap, setup }: CaseContext): Promise<ReplicaClient> {
  return wrap(await setup.silent!());
}

async function assertAborts({ what, make }: Call, replica: Replica): Promise<void> {
  const controller = new AbortController();
  const reason = new Error('not wanted any more');
  const ended = failureOf(make(replica, controller.signal));
  await sleep(WAIT_MS);
  const since = performance.now();
  controller.abort(reason);
  const failure = await ended;
  assert.equal(failure, reason, `${what} rejects with the reason of the abort`);
  assertAtMost(performance.now() - since, ABORT_MS_MAX, `ms from the abort to the end of ${what}`);
}

/** The error of a call, or undefined if it succeeds. Closes the body that it opened. */
async function failureOf(call: Promise<unknown>): Promise<unknown> {
  try {
    await closeBody(await call);
    return undefined;
  } catch (error) {
    return error;
  }
}

async function closeBody(result: unknown): Promise<void> {
  if (typeof result !== 'object' || result === null || !('body' in result)) return;
  for await (const _ of result.body as AsyncIterable<Uint8Array>) break;
}
