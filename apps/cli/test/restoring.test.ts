import { expect, test } from 'vitest';
import { isError, ReplicationError, type RestorePlan } from '@sluice/core';
import { destinationFromURL } from '../src/config/destination.ts';
import type { DestinationConfig } from '../src/config/model.ts';
import { Destinations } from '../src/destinations.ts';
import { createLogger } from '../src/log.ts';
import { compareCandidates, findCandidates, mostTelling } from '../src/restoring.ts';
import { Secrets } from '../src/secrets.ts';
import { goldenBucket } from './support/golden.ts';
import { Capture } from './support/shell.ts';
import { startSilentServer } from './support/silent-server.ts';

function candidate(type: string, txid: bigint) {
  const destination = { type } as DestinationConfig;
  return { destination, plan: { txid } as RestorePlan };
}

test('what reaches furthest comes first, then what is near, then what answered first', () => {
  const answers = [
    candidate('s3', 5n),
    candidate('gs', 7n),
    candidate('s3', 7n),
    candidate('file', 7n),
    candidate('file', 6n),
  ];
  const order = [...answers].sort(compareCandidates).map((found) => answers.indexOf(found));
  expect(order).toEqual([3, 1, 2, 4, 0]);
});

test('TXIDs beyond what a number can hold are compared exactly', () => {
  const [high, low] = [candidate('s3', 2n ** 60n + 1n), candidate('file', 2n ** 60n)];
  expect(compareCandidates(high, low)).toBeLessThan(0);
});

test('a failure to ask tells more than a moment that is not there, and that more than no backup', () => {
  const error = (code: ConstructorParameters<typeof ReplicationError>[0]): ReplicationError =>
    new ReplicationError(code, code);
  const none = error('RESTORE_NO_SNAPSHOT');
  const range = error('RESTORE_OUT_OF_RANGE');
  const denied = error('REPLICA_PERMISSION_DENIED');
  expect(mostTelling([none, range, denied])).toBe(denied);
  expect(mostTelling([none, range])).toBe(range);
  expect(mostTelling([none, none])).toBe(none);
});

test('a destination that hangs is left out once another has answered', async () => {
  const { endpoint } = await startSilentServer();
  const secrets = new Secrets();
  const stream = new Capture();
  const logger = createLogger({ level: 'warn', type: 'text', stream, secrets });
  await using open = new Destinations(logger, 'read');
  const s3 = `s3://b/p?endpoint=${endpoint}&region=x&access-key-id=a&secret-access-key=bbbbbbbb`;
  const destinations = [
    { ...(await destinationFromURL(s3, '/', secrets)), name: 'hangs' },
    { ...(await destinationFromURL(`file://${goldenBucket()}`, '/', secrets)), name: 'answers' },
  ];
  const found = await findCandidates({
    destinations,
    target: { kind: 'latest' },
    open,
    logger,
    signal: new AbortController().signal,
    patienceMs: 50,
  });
  expect(found.map(({ destination }) => destination.name)).toEqual(['answers']);
  expect(stream.text).toMatch(/hangs is left out: no answer within 0\.05 s of another one's/);
});

test('an interrupt ends the search with its reason', async () => {
  const { endpoint, connected } = await startSilentServer();
  const secrets = new Secrets();
  const logger = createLogger({ level: 'warn', type: 'text', stream: new Capture(), secrets });
  await using open = new Destinations(logger, 'read');
  const s3 = `s3://b/p?endpoint=${endpoint}&region=x&access-key-id=a&secret-access-key=bbbbbbbb`;
  const destinations = [await destinationFromURL(s3, '/', secrets)];
  const controller = new AbortController();
  const { signal } = controller;
  const search = findCandidates({ destinations, target: { kind: 'latest' }, open, logger, signal });
  await connected;
  const reason = new Error('enough');
  controller.abort(reason);
  const error: unknown = await search.catch((thrown: unknown) => thrown);
  expect(error).toBe(reason);
  expect(isError(error)).toBe(false);
});
