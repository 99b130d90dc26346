import { describe, expect, test } from 'vitest';
import { toRow, type DatabaseRow } from '../src/rows.ts';
import { judge, type PageVerdict, type VerdictInput } from '../src/verdict.ts';
import { destination, failingStatus, okDrill, status } from './support/fake-source.ts';
import type { DatabaseStatus } from '@sluice/core';
import type { DrillSummary } from '../src/index.ts';

const NOW_MS = Date.now();
const MAX_LAG_SECONDS = 60;

function row(
  of: DatabaseStatus,
  drills: readonly DrillSummary[] | undefined = [okDrill('near')],
  nowMs: number = NOW_MS,
): DatabaseRow {
  return toRow(of, { drills, maxLagSeconds: MAX_LAG_SECONDS, nowMs });
}

function judged(
  databases: readonly DatabaseRow[] | undefined,
  more: Partial<VerdictInput> = {},
): PageVerdict {
  return judge({ connection: { kind: 'live' }, databases, nowMs: NOW_MS, ...more });
}

describe('green', () => {
  test('only if every database is at every destination', () => {
    const verdict = judged([row(status('/a.db')), row(status('/b.db'))]);
    expect(verdict).toMatchObject({ color: 'green', answer: 'No', causes: [] });
    expect(verdict.detail).toBe('Every commit is at every destination of 2 databases.');
  });

  test('says how much is on its way', () => {
    const near = destination('near', { lagSeconds: 1.23 });
    const verdict = judged([row(status('/a.db', { destinations: [near] }))]);
    expect(verdict.color).toBe('green');
    expect(verdict.detail).toBe(
      'Commits older than 1.2 s are at every destination of the database.',
    );
  });
});

describe('never green over what it has not seen', () => {
  test('no status yet', () => {
    expect(judged(undefined)).toMatchObject({ color: 'gray', answer: 'Not known yet' });
  });

  test('a lost connection, whatever was seen before', () => {
    const asOf = '2026-01-31T12:03:04.000Z';
    const verdict = judged([row(status('/a.db'))], { connection: { kind: 'lost', asOf } });
    expect(verdict).toMatchObject({ color: 'red', answer: 'Not known', since: asOf });
    expect(verdict.detail).toMatch(/^Connection lost, as of .*\d\d:03:04\./);
    expect(verdict.causes).toHaveLength(1);
  });

  test('a source that cannot be read', () => {
    const verdict = judged([row(status('/a.db'))], { unreadable: 'no status within 10 s' });
    expect(verdict).toMatchObject({ color: 'red', answer: 'Not known' });
    expect(verdict.causes[0]?.message).toContain('no status within 10 s');
  });

  test('a status that is old', () => {
    const old = status('/a.db', { at: new Date(NOW_MS - 31_000).toISOString() });
    expect(judged([row(status('/b.db')), row(old)])).toMatchObject({
      color: 'red',
      answer: 'Not known',
      since: old.at,
    });
    const fresh = status('/a.db', { at: new Date(NOW_MS - 29_000).toISOString() });
    expect(judged([row(fresh)]).color).toBe('green');
  });

  test('a status without a time', () => {
    expect(judged([row(status('/a.db', { at: 'never' }))]).color).toBe('red');
  });

  test('no database', () => {
    expect(judged([])).toMatchObject({ color: 'amber', answer: 'Nothing is backed up' });
  });

  test('a database without a destination', () => {
    const verdict = judged([row(status('/a.db', { destinations: [] }))]);
    expect(verdict).toMatchObject({ color: 'red', answer: 'Yes, all of a.db' });
  });

  test('a destination that has nothing yet', () => {
    const near = destination('near', { state: 'seeding', txid: undefined });
    const verdict = judged([row(status('/a.db', { destinations: [near] }))]);
    expect(verdict).toMatchObject({ color: 'amber', answer: 'Yes, all of a.db' });
  });

  test('drills that were not read yet', () => {
    const verdict = judged([
      toRow(status('/a.db'), { drills: undefined, maxLagSeconds: 60, nowMs: NOW_MS }),
    ]);
    expect(verdict.color).toBe('amber');
    expect(verdict.causes[0]?.message).toContain('drills are not read');
  });

  test('a replication that has ended', () => {
    expect(judged([row(status('/a.db', { state: 'ended' }))]).color).toBe('red');
  });

  test.each(['opening', 'waiting', 'failing'] as const)('a database that is %s', (state) => {
    expect(judged([row(status('/a.db', { state }))]).color).toBe('amber');
  });

  test.each(['listing', 'seeding', 'damaged', 'failing'] as const)(
    'a destination that is %s',
    (state) => {
      const destinations = [destination('near'), destination('far', { state })];
      expect(judged([row(status('/a.db', { destinations }))]).color).toBe('amber');
    },
  );

  test('a destination that gets nothing more', () => {
    const destinations = [destination('near', { state: 'closed' })];
    expect(judged([row(status('/a.db', { destinations }))]).color).toBe('red');
  });

  test('a database that is unhealthy without a reason', () => {
    const verdict = judged([row(status('/a.db', { healthy: false }))]);
    expect(verdict.color).toBe('red');
    expect(verdict.causes[0]?.message).toContain('no reason');
  });
});

describe('how much, since when, why, and what to do', () => {
  test('one destination fails, the other has everything', () => {
    const verdict = judged([row(failingStatus('/a.db')), row(status('/b.db'))]);
    expect(verdict).toMatchObject({ color: 'red', answer: 'No, but a backup is missing' });
    expect(verdict.detail).toContain('1 of 2 databases is not backed up as configured');
    const [cause] = verdict.causes;
    expect(cause).toMatchObject({ database: '/a.db', destination: 'offsite', databases: 1 });
    expect(cause?.message).toContain('connection refused');
    expect(cause?.next).toContain('sluice check');
    const sinceMs = Date.parse(cause?.since ?? '');
    expect(Math.abs(NOW_MS - 240_000 - sinceMs)).toBeLessThan(5_000);
    expect(verdict.since).toBe(cause?.since);
  });

  test('all destinations lag: the best of them counts', () => {
    const late = status('/a.db', {
      healthy: false,
      problems: [{ stage: 'staging', message: 'commits of the last 400 s are not staged' }],
      destinations: [
        destination('near', { lagSeconds: 400 }),
        destination('far', { lagSeconds: 900 }),
      ],
      error: {
        code: 'STAGING_FULL',
        message: 'no space',
        at: new Date(NOW_MS).toISOString(),
        since: '2026-01-31T12:00:00.000Z',
      },
    });
    const verdict = judged([row(late)]);
    expect(verdict).toMatchObject({ color: 'red', answer: 'Yes, the last 7 min' });
    expect(verdict.since).toBe('2026-01-31T12:00:00.000Z');
    expect(verdict.causes[0]?.next).toContain('staging-max-bytes');
  });

  test('a drill that failed is red, and its destination is not relied on', () => {
    const failure = { at: '2026-01-31T12:00:00.000Z', problem: 'integrity check: page 4' };
    const drills = [okDrill('near', { failure })];
    const only = status('/a.db', { destinations: [destination('near')] });
    expect(judged([row(only, drills)])).toMatchObject({ color: 'red', answer: 'Not known' });
    const both = judged([row(status('/a.db'), drills)]);
    expect(both).toMatchObject({ color: 'red', answer: 'No, but a backup is missing' });
    expect(both.causes[0]?.message).toContain('page 4');
    expect(both.causes[0]?.next).toContain('runbook');
  });

  test('a drill that the status names already is named once', () => {
    const message = 'near failed its drill';
    const named = status('/a.db', {
      healthy: false,
      problems: [{ stage: 'drill', destination: 'near', message }],
    });
    const drills = [okDrill('near', { failure: { at: 'x', problem: 'y' } })];
    expect(judged([row(named, drills)]).causes).toHaveLength(1);
  });

  test('an overdue drill is amber', () => {
    const last = {
      result: 'ok',
      kind: 'full',
      at: new Date(NOW_MS - 3 * 86_400_000).toISOString(),
      problems: [],
    } as const;
    const verdict = judged([row(status('/a.db'), [okDrill('near', { last })])]);
    expect(verdict.color).toBe('amber');
    expect(verdict.causes[0]?.message).toContain('overdue');
  });

  test('one cause for thousands of databases, the most serious first', () => {
    const rows = Array.from({ length: 3_000 }, (_, index) => row(failingStatus(`/t/${index}.db`)));
    const waiting = row(status('/w.db', { state: 'waiting' }));
    const verdict = judged([waiting, ...rows]);
    expect(verdict.causes).toHaveLength(2);
    expect(verdict.causes[0]).toMatchObject({ color: 'red', databases: 3_000 });
    expect(verdict.causes[1]).toMatchObject({ color: 'amber', databases: 1 });
  });
});

test('every problem has a next step', async () => {
  const { nextStep } = await import('../src/advice.ts');
  const stages = ['database', 'thread', 'look', 'staging', 'image', 'send', 'snapshot', 'files'];
  const steps = [...stages, 'record', 'state file', 'drill'].map((stage) =>
    nextStep(stage, undefined),
  );
  for (const step of steps) expect(step).toMatch(/^[A-Z].*\.$/);
  expect(steps).not.toContain(nextStep('a stage of a newer version', undefined));
});
