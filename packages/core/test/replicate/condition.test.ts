/** The state of a database, and how often its failures are logged. */

import { expect, test } from 'vitest';
import { Condition } from '../../src/replicate/condition.ts';
import { ReplicationError } from '../../src/error.ts';
import { StoppedClock } from './scene.ts';

const FULL = { code: 'STAGING_FULL', message: 'no space left' } as const;

interface Subject {
  readonly condition: Condition;
  readonly clock: StoppedClock;
  /** "error: …", without the level debug. */
  readonly lines: string[];
}

function newSubject(): Subject {
  const lines: string[] = [];
  const log =
    (level: string) =>
    (message: string): void =>
      void lines.push(`${level}: ${message}`);
  const clock = new StoppedClock();
  const condition = new Condition({
    path: '/app.db',
    clock,
    logger: { debug: () => undefined, info: log('info'), warn: log('warn'), error: log('error') },
    onChange: () => undefined,
  });
  return { condition, clock, lines };
}

test('a full disk is one ERROR, then one each ten minutes, and one line when it is over; the status says it all the time', () => {
  const { condition, clock, lines } = newSubject();
  const since = new Date(clock.now()).toISOString();
  for (let second = 0; second < 1_500; second++) {
    const at = new Date(clock.now()).toISOString();
    condition.fail(FULL);
    condition.report(new ReplicationError('STAGING_FULL', 'nor for the state file'));
    expect(condition.error).toEqual({ ...FULL, at, since });
    condition.opened({ switchedToWAL: false }); // it is opened again, and fails again
    condition.fail(FULL);
    expect(condition.error?.since).toBe(since);
    expect(condition.state).toBe('failing');
    clock.advance(1_000);
  }
  expect(lines).toEqual(Array.from({ length: 3 }, () => 'error: no space left'));
  condition.staged();
  condition.staged();
  expect(lines.slice(3)).toEqual([
    'info: the staging folder has room again; replication continues',
  ]);
  expect(condition.error).toBeUndefined();
  condition.fail(FULL);
  expect(condition.error?.since).toBe(new Date(clock.now()).toISOString());
});

test('a disk that has room now and then does not fill the log', () => {
  const { condition, clock, lines } = newSubject();
  for (let second = 0; second < 1_200; second++) {
    condition.fail(FULL);
    condition.staged();
    clock.advance(1_000);
  }
  expect(lines).toHaveLength(4);
});

test('another failure is logged each time', () => {
  const { condition, lines } = newSubject();
  condition.report(new ReplicationError('STAGING_FULL', 'no state file'));
  expect(lines.splice(0)).toEqual(['error: no state file']);
  for (const code of ['DATABASE_BUSY', 'STAGING_FULL', 'DATABASE_BUSY'] as const)
    condition.fail({ code, message: code });
  expect(lines).toEqual(['error: DATABASE_BUSY', 'error: STAGING_FULL', 'error: DATABASE_BUSY']);
});
