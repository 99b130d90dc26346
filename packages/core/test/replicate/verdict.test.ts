import { expect, test } from 'vitest';
import {
  ageFacts,
  evaluateHealth,
  lagMs,
  runningLimits,
  type DatabaseFacts,
  type DestinationFacts,
} from '../../src/replicate/status/verdict.ts';

const MAX_LAG_MS = 60_000;
const TOO_LONG = MAX_LAG_MS + 1;
const LIMITS = runningLimits(MAX_LAG_MS);

const AT_DESTINATION: DestinationFacts = {
  name: 's3',
  confirmedAgeMs: 900,
  isCurrent: true,
  stalledMs: 0,
  failingMs: 0,
  snapshotStalledMs: 0,
  snapshotFailingMs: 0,
  error: undefined,
};

const HEALTHY: DatabaseFacts = {
  absence: undefined,
  failure: undefined,
  threadSilentMs: 400,
  lookAgeMs: 900,
  stagedAgeMs: 900,
  imageStalledMs: 0,
  recordStalledMs: 0,
  stateFileAgeMs: 9_000,
  freshMs: 3_000,
  destinations: [AT_DESTINATION, { ...AT_DESTINATION, name: 'disk' }],
};

function at(name: string, changed: Partial<DestinationFacts>): DatabaseFacts {
  const destinations = HEALTHY.destinations.map((facts) =>
    facts.name === name ? { ...facts, ...changed } : facts,
  );
  return { ...HEALTHY, destinations };
}

test('a database without stuck stages is healthy', () => {
  expect(evaluateHealth(HEALTHY, LIMITS)).toEqual({ healthy: true, problems: [], behind: [] });
});

/** One stuck stage each: the facts, the reported stage, and the message. */
const STUCK: readonly (readonly [string, DatabaseFacts, string, RegExp])[] = [
  [
    'a missing folder',
    { ...HEALTHY, absence: { kind: 'no folder', ms: 0 } },
    'database',
    /its folder does not exist/,
  ],
  [
    'a database that has been missing too long',
    { ...HEALTHY, absence: { kind: 'no file', ms: TOO_LONG } },
    'database',
    /has not existed for 60 s/,
  ],
  [
    'a database that has been empty too long',
    { ...HEALTHY, absence: { kind: 'empty', ms: TOO_LONG } },
    'database',
    /has been empty for 60 s/,
  ],
  ['a failure', { ...HEALTHY, failure: 'the disk is full' }, 'database', /^the disk is full$/],
  [
    'a silent thread',
    { ...HEALTHY, threadSilentMs: TOO_LONG, lookAgeMs: TOO_LONG, stagedAgeMs: TOO_LONG },
    'thread',
    /has not responded for 60 s/,
  ],
  [
    'a WAL that is not read',
    { ...HEALTHY, lookAgeMs: TOO_LONG, stagedAgeMs: TOO_LONG },
    'look',
    /last read completely 60 s ago/,
  ],
  ['nothing is staged', { ...HEALTHY, stagedAgeMs: TOO_LONG }, 'staging', /are not staged/],
  ['a stuck image', { ...HEALTHY, imageStalledMs: TOO_LONG }, 'image', /has been stuck/],
  [
    'a record that cannot be written',
    { ...HEALTHY, recordStalledMs: TOO_LONG },
    'record',
    /could not be recorded/,
  ],
  [
    'a state file that cannot be written',
    { ...HEALTHY, stateFileAgeMs: TOO_LONG },
    'state file',
    /could not be written/,
  ],
  [
    'commits that do not arrive, with an error',
    at('s3', { confirmedAgeMs: TOO_LONG, error: 'no route' }),
    'send',
    /^s3 lacks commits of the last 60 s: no route$/,
  ],
  [
    'commits that do not arrive, without an error',
    at('s3', { confirmedAgeMs: TOO_LONG }),
    'send',
    /^s3 lacks commits of the last 60 s; see its log lines, and test it with sluice check$/,
  ],
  [
    'a request without progress',
    at('s3', { stalledMs: TOO_LONG }),
    'send',
    /^s3 has not responded/,
  ],
  [
    'failing tries',
    at('s3', { failingMs: TOO_LONG, confirmedAgeMs: TOO_LONG, error: 'denied' }),
    'send',
    /^s3 has failed for 60 s: denied$/,
  ],
  [
    'refused snapshots',
    at('s3', { snapshotFailingMs: TOO_LONG }),
    'snapshot',
    /^s3 has failed to take a full snapshot for/,
  ],
  [
    'a snapshot without progress',
    at('s3', { snapshotStalledMs: TOO_LONG }),
    'snapshot',
    /^s3 has accepted no bytes of a full snapshot/,
  ],
];

test.each(STUCK)('%s is reported as one problem', (_, facts, stage, message) => {
  const { healthy, problems } = evaluateHealth(facts, LIMITS);
  expect(healthy).toBe(false);
  expect(problems).toHaveLength(1);
  expect(problems[0]).toMatchObject({ stage, message: expect.stringMatching(message) as string });
});

test('an age that equals its limit is not a problem yet', () => {
  const facts = { ...HEALTHY, stagedAgeMs: MAX_LAG_MS, threadSilentMs: MAX_LAG_MS };
  expect(evaluateHealth(facts, LIMITS).healthy).toBe(true);
});

test('a database that has just gone missing is still healthy', () => {
  expect(evaluateHealth({ ...HEALTHY, absence: { kind: 'no file', ms: 1 } }, LIMITS).healthy).toBe(
    true,
  );
});

test('if nothing is staged, destinations are behind but have no problem of their own', () => {
  const facts = { ...at('s3', { confirmedAgeMs: TOO_LONG }), stagedAgeMs: TOO_LONG };
  const { problems, behind } = evaluateHealth(facts, LIMITS);
  expect(behind).toEqual(['s3']);
  expect(problems.map(({ stage }) => stage)).toEqual(['staging']);
});

test('at the end, a destination is behind if it lacks commits from before the last sync', () => {
  const limits = { ...LIMITS, commitMs: 200 };
  const facts = { ...at('s3', { confirmedAgeMs: 201 }), lookAgeMs: 150, stagedAgeMs: 150 };
  const others = facts.destinations.map((each) =>
    each.name === 'disk' ? { ...each, confirmedAgeMs: 150 } : each,
  );
  const verdict = evaluateHealth({ ...facts, destinations: others }, limits);
  expect([verdict.healthy, verdict.behind]).toEqual([false, ['s3']]);
});

test('facts age while nothing is reported', () => {
  expect(evaluateHealth(ageFacts(HEALTHY, MAX_LAG_MS - 10_000), LIMITS).healthy).toBe(true);
  const { healthy, problems } = evaluateHealth(ageFacts(HEALTHY, MAX_LAG_MS), LIMITS);
  expect([healthy, problems[0]?.stage]).toEqual([false, 'thread']);
  const failing = ageFacts(at('s3', { failingMs: 1 }), MAX_LAG_MS);
  expect(failing.destinations.map(({ failingMs }) => failingMs)).toEqual([TOO_LONG, 0]);
});

test('lag is 0 only if no commit is missing and the WAL was read recently', () => {
  expect(lagMs(AT_DESTINATION, HEALTHY.freshMs)).toBe(0);
  expect(lagMs({ ...AT_DESTINATION, isCurrent: false }, HEALTHY.freshMs)).toBe(900);
  expect(lagMs({ ...AT_DESTINATION, confirmedAgeMs: 3_000 }, HEALTHY.freshMs)).toBe(3_000);
});

test('a damaged file makes its destination unhealthy, by name, and nothing is behind', () => {
  const damage = 'has a damaged file: 0/1-1.ltx';
  expect(evaluateHealth(at('disk', { damage }), LIMITS)).toEqual({
    healthy: false,
    problems: [{ stage: 'files', destination: 'disk', message: `disk ${damage}` }],
    behind: [],
  });
});
