import { expect, test } from 'vitest';

import { SSHError, toReplicationError, toSSHError } from '../src/errors.ts';

const answer = (code: number): Error => Object.assign(new Error('Failure'), { code });

test.each([
  [2, 'REPLICA_NOT_FOUND'],
  [3, 'REPLICA_PERMISSION_DENIED'],
  [4, 'REPLICA_UNKNOWN'],
  [5, 'REPLICA_UNKNOWN'],
  [6, 'REPLICA_UNAVAILABLE'],
  [7, 'REPLICA_UNAVAILABLE'],
  [8, 'REPLICA_UNSUPPORTED'],
  [10, 'REPLICA_NOT_FOUND'],
  [11, 'REPLICA_UNKNOWN'],
  [12, 'REPLICA_PERMISSION_DENIED'],
  [14, 'REPLICA_FULL'],
  [15, 'REPLICA_FULL'],
  [99, 'REPLICA_UNKNOWN'],
])('answer %i is %s', (status, code) => {
  const error = toReplicationError(answer(status), 'write x to sftp://u@h');
  expect(error).toMatchObject({ code, status });
  expect(error.message).toContain(`write x to sftp://u@h: Failure (${status})`);
});

test('a failure without a reason has a next step', () => {
  expect(toReplicationError(answer(4), 'write').message).toMatch(/full disk or a quota/);
});

test('the message for a full disk is clear, even if ssh2 does not know the status', () => {
  expect(toReplicationError(answer(14), 'write').message).toContain('no space is left there');
});

test('an error of SSH keeps its code', () => {
  const lost = new SSHError('REPLICA_UNAVAILABLE', 'the connection was lost');
  expect(toReplicationError(lost, 'list x').message).toBe('list x: the connection was lost');
  expect(toReplicationError(lost, 'list x').code).toBe('REPLICA_UNAVAILABLE');
});

const raw = (fields: object): Error => Object.assign(new Error('said'), fields);

test.each([
  [raw({ level: 'client-authentication' }), 'login', 'REPLICA_UNAUTHENTICATED'],
  [raw({ level: 'agent' }), 'login', 'REPLICA_UNAUTHENTICATED'],
  [raw({ level: 'client-socket', code: 'ECONNREFUSED' }), 'greeting', 'REPLICA_UNAVAILABLE'],
  [raw({ level: 'client-timeout' }), 'greeting', 'REPLICA_UNAVAILABLE'],
  [raw({ level: 'protocol' }), 'greeting', 'REPLICA_UNAVAILABLE'],
  [raw({ level: 'handshake' }), 'greeting', 'REPLICA_UNSUPPORTED'],
  // A disconnect reason, not an answer to a request: 2 is not "no such file".
  [raw({ code: 2 }), 'login', 'REPLICA_UNAUTHENTICATED'],
  [raw({ code: 2 }), 'greeting', 'REPLICA_UNAVAILABLE'],
  [raw({ code: 12 }), 'login', 'REPLICA_UNAVAILABLE'],
  ['a text', 'login', 'REPLICA_UNAVAILABLE'],
] as const)('%o at the %s is %s', (error, stage, code) => {
  expect(toSSHError(error, stage).code).toBe(code);
});

test('a refused connection has a next step', () => {
  const error = raw({ level: 'client-socket', code: 'ECONNREFUSED' });
  expect(toSSHError(error, 'greeting').message).toMatch(/; nothing listens there: check address/);
});
