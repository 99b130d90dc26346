/** Connections that are there and do not work: nobody answers, or they were cut. */

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
} from '../words.ts';

const FILE = ref(0, 1);
/** Long enough for a connection of this machine, and for a request on it. */
const WAIT_MS = 40;
/** Rule 3: an aborted call rejects within a second. A busy machine may take a little longer. */
const ABORT_MS_MAX = 1_500;

interface Call {
  readonly what: string;
  readonly make: (replica: Replica, signal?: AbortSignal) => Promise<unknown>;
}

/** Every method, since each may be the first to meet it. */
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
    says: 'Calls to a server that accepts and never answers can be aborted, and end with close().',
    needs: ['silent'],
    async run(context) {
      const silent = await openSilent(context);
      const replica = new Replica(silent, context.path);
      await Promise.all(CALLS.map((call) => aborts(call, replica)));
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
        'ms from close() to the last end',
      );
    },
  },
  {
    id: 'errors/a-connection-cut-while-idle',
    says: 'A connection that is cut while nobody uses it is REPLICA_UNAVAILABLE once at most, and made anew.',
    needs: ['cuttable'],
    async run({ adopt, path, saw, setup }) {
      const cuttable = await setup.cuttable!();
      const client = new Replica(adopt(cuttable.client), path);
      let failures = 0;
      for (const { what, make } of CALLS) {
        await write(client, FILE, pattern(9, 1)); // a connection is open, and idle then
        await cuttable.cut();
        const failure = await failureOf(make(client));
        if (failure === undefined) continue;
        failures += 1;
        assert(
          isError(failure, 'REPLICA_UNAVAILABLE'),
          `${what} after a cut: ${messageOf(failure)}`,
        );
        const again = await failureOf(make(client));
        assert(again === undefined, `${what} after a cut, the second time: ${messageOf(again)}`);
      }
      await write(client, FILE, pattern(9, 3));
      assertBytes(await read(client, FILE), pattern(9, 3));
      assert.deepEqual(names(await list(client, 0)), names([FILE, ref(0, 2)]));
      saw(`${failures} of ${CALLS.length} calls after a cut failed once`);
    },
  },
];

async function openSilent({ adopt, setup }: CaseContext): Promise<ReplicaClient> {
  return adopt(await setup.silent!());
}

async function aborts({ what, make }: Call, replica: Replica): Promise<void> {
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

/** What a call rejects with; undefined where it is answered. Gives back what it opened. */
async function failureOf(call: Promise<unknown>): Promise<unknown> {
  try {
    await free(await call);
    return undefined;
  } catch (error) {
    return error;
  }
}

async function free(answer: unknown): Promise<void> {
  if (typeof answer !== 'object' || answer === null || !('body' in answer)) return;
  for await (const _ of answer.body as AsyncIterable<Uint8Array>) break;
}
