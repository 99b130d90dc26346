import assert from 'node:assert/strict';
import { inspect } from 'node:util';

import { isError, type ErrorCode } from '@sluice/core/backend';
import { Replica } from '@sluice/core/backend/testing';

import type { Case } from '../case.ts';
import { assertBytes, bodyOf, pattern, read, ref, rejectsWith, write } from '../helpers.ts';

const FILE = ref(0, 1);

export const errorCases: readonly Case[] = [
  {
    id: 'errors/a-vanished-root',
    promise:
      'If the root disappears, calls fail with REPLICA_DESTINATION_NOT_FOUND; listings are never empty instead.',
    needs: ['vanish'],
    async run({ path, replica, setup }) {
      await write(replica, FILE, pattern(9, 1));
      const restore = (await setup.vanish?.(path)) ?? (async () => undefined);
      try {
        await allReject(replica, 'REPLICA_DESTINATION_NOT_FOUND');
      } finally {
        await restore();
      }
      assertBytes(await read(replica, FILE), pattern(9, 1));
    },
  },
  {
    id: 'errors/denied',
    promise:
      'With credentials without permissions, calls fail with REPLICA_PERMISSION_DENIED or REPLICA_UNAUTHENTICATED.',
    needs: ['denied'],
    async run({ wrap, path, setup }) {
      const denied = wrap(await setup.denied!());
      await allReject(
        new Replica(denied, path),
        'REPLICA_PERMISSION_DENIED',
        'REPLICA_UNAUTHENTICATED',
      );
    },
  },
  {
    id: 'errors/unreachable',
    promise: 'Calls to an unreachable server fail with REPLICA_UNAVAILABLE.',
    needs: ['unreachable'],
    async run({ wrap, path, setup }) {
      const unreachable = wrap(await setup.unreachable!());
      await allReject(new Replica(unreachable, path), 'REPLICA_UNAVAILABLE');
    },
  },
  {
    id: 'errors/tell-no-secret',
    promise: 'No secret appears in a message or property of an error.',
    async run({ subject, wrap, client, path, replica, setup }) {
      const others = [await setup.denied?.(), await setup.unreachable?.()].flatMap((other) =>
        other === undefined ? [] : [wrap(other)],
      );
      const errors = [await replica.openFile(FILE).catch((error: unknown) => error)];
      for (const other of others) errors.push(...(await failures(new Replica(other, path))));
      const printed = [client.name, ...errors.map((error) => inspect(error, { depth: 8 }))];
      assert(isError(errors[0], 'REPLICA_NOT_FOUND'));
      for (const secret of subject.secrets) {
        assert(!printed.some((text) => text.includes(secret)), 'a secret is in a message');
      }
    },
  },
  {
    id: 'errors/say-what-was-done-to-what',
    promise: 'An error message has the operation, the key and the name of the client.',
    async run({ client, replica }) {
      const file = ref(3, 0xab, 0xcd);
      const error: unknown = await replica.openFile(file).catch((e: unknown) => e);
      assert(isError(error, 'REPLICA_NOT_FOUND'));
      const { message } = error;
      assert(/\b(open|get|read)\b/i.test(message), message);
      assert(message.includes(replica.keyOf(file)), message);
      assert(message.includes(client.name), message);
    },
  },
];

/** Checks every method, because any of them may be the first to fail. */
async function allReject(replica: Replica, ...codes: readonly ErrorCode[]): Promise<void> {
  await rejectsWith(Array.fromAsync(replica.listFiles(0)), ...codes);
  await rejectsWith(Array.fromAsync(replica.listFiles('all')), ...codes);
  await rejectsWith(replica.openFile(FILE), ...codes);
  await rejectsWith(replica.writeFile(ref(0, 2), bodyOf(pattern(9, 2))), ...codes);
  await rejectsWith(replica.deleteFiles([FILE]), ...codes);
}

async function failures(replica: Replica): Promise<unknown[]> {
  const calls = [
    Array.fromAsync(replica.listFiles(0)),
    replica.openFile(FILE),
    replica.writeFile(ref(0, 2), bodyOf(pattern(9, 2))),
    replica.deleteFiles([FILE]),
  ];
  const ended = await Promise.allSettled<unknown>(calls);
  return ended.map((each) => (each.status === 'rejected' ? (each.reason as unknown) : each.value));
}
