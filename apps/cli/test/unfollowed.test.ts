import { expect, test } from 'vitest';
import type { DatabaseReport, DatabaseStatus } from '@sluice/core';
import { ReplicationError } from '@sluice/core/backend';
import type { Member } from '../src/daemon/database-set.ts';
import { exitCodeOfReport } from '../src/daemon/report.ts';
import { completeReport, Unfollowed } from '../src/daemon/unfollowed.ts';
import { EXIT_CODES } from '../src/exit-codes.ts';

const NOW = 1_000_000;

function member(given: Partial<Member>): Member {
  const destinations = [{ name: 'near', type: 'file', target: 'file:///backup' }];
  const config = { options: { path: '/data/app.db' }, destinations };
  const usual = { origin: 'configuration', state: 'starting', error: undefined } as const;
  return { config, ...usual, ...given } as unknown as Member;
}

const replicated = {
  path: '/data/app.db',
  healthy: true,
  problems: [] as DatabaseStatus['problems'],
} as DatabaseStatus;

test('a replicated database has the status of the replicator only', () => {
  const members = [member({ state: 'replicating' })];
  expect(new Unfollowed().complete([replicated], members, NOW)).toEqual([replicated]);
});

test('a database that could not be started is unhealthy, with the reason', () => {
  const error = new ReplicationError('STAGING_IN_USE', 'process 7 replicates it');
  const [status] = new Unfollowed().complete([], [member({ state: 'failed', error })], NOW);
  expect(status).toMatchObject({
    path: '/data/app.db',
    state: 'failing',
    healthy: false,
    problems: [{ stage: 'database', message: 'it is not replicated: process 7 replicates it' }],
    error: { code: 'STAGING_IN_USE' },
    destinations: [{ name: 'near', state: 'closed', txid: undefined }],
  });
});

test('a database that a command has stopped is unhealthy', () => {
  const [status] = new Unfollowed().complete([], [member({ state: 'stopped' })], NOW);
  expect(status).toMatchObject({ state: 'ended', healthy: false });
  expect(status?.problems[0]?.message).toMatch(/sluice start/);
});

test('one that is being started is healthy for max-lag, and then it is not', () => {
  const unfollowed = new Unfollowed();
  const members = [member({})];
  const at = (ms: number): DatabaseStatus | undefined =>
    unfollowed.complete([], members, NOW + ms)[0];
  expect(at(0)).toMatchObject({ state: 'opening', healthy: true, pageSize: undefined });
  expect(at(60_000)?.healthy).toBe(true);
  expect(at(60_001)).toMatchObject({ healthy: false, destinations: [{ lagSeconds: 60.001 }] });
});

test('a database that has failed is not healthy while it is tried again', () => {
  const error = new ReplicationError('STAGING_FAILED', 'it could not be restored');
  const unfollowed = new Unfollowed();
  for (const status of [[], [replicated]]) {
    for (const state of ['starting', 'replicating'] as const) {
      const [judged] = unfollowed.complete(status, [member({ state, error })], NOW);
      expect(judged).toMatchObject({
        healthy: false,
        problems: [
          { stage: 'database', message: expect.stringContaining(error.message) as string },
        ],
      });
    }
  }
});

// --- the report of the last sync ---

const complete: DatabaseReport = {
  ...{ path: '/data/other.db', txid: '0000000000000001', absence: undefined, healthy: true },
  ...{ problems: [], error: undefined, destinations: [] },
};

test.each(['failed', 'starting'] as const)('a %s database shows in the exit code', (state) => {
  const error = state === 'failed' ? new ReplicationError('STAGING_IN_USE', 'in use') : undefined;
  const databases = completeReport([complete], [member({ state, error })]);
  expect(databases).toMatchObject([
    complete,
    { path: '/data/app.db', healthy: false, destinations: [{ name: 'near', complete: 'behind' }] },
  ]);
  expect(exitCodeOfReport({ databases })).toBe(EXIT_CODES.database);
});

test('a database that a command has stopped got its last sync then', () => {
  const databases = completeReport([complete], [member({ state: 'stopped' })]);
  expect(databases).toEqual([complete]);
  expect(exitCodeOfReport({ databases })).toBe(EXIT_CODES.ok);
});
