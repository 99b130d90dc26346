import { expect, test } from 'vitest';
import {
  ageFacts,
  judge,
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

const WELL: DatabaseFacts = {
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
  const destinations = WELL.destinations.map((facts) =>
    facts.name === name ? { ...facts, ...changed } : facts,
  );
  return { ...WELL, destinations };
}

test('a database of which nothing stands still is healthy', () => {
  expect(judge(WELL, LIMITS)).toEqual({ healthy: true, problems: [], behind: [] });
});

/** One stage after the other stands still: the facts, the stage that is named, and what is said. */
const STILL: readonly (readonly [string, DatabaseFacts, string, RegExp])[] = [
  [
    'a folder that is missing',
    { ...WELL, absence: { kind: 'no folder', ms: 0 } },
    'database',
    /its folder does not exist/,
  ],
  [
    'a database that is missing for long',
    { ...WELL, absence: { kind: 'no file', ms: TOO_LONG } },
    'database',
    /has not existed for 60 s/,
  ],
  [
    'a database that is empty for long',
    { ...WELL, absence: { kind: 'empty', ms: TOO_LONG } },
    'database',
    /has been empty for 60 s/,
  ],
  ['a failure', { ...WELL, failure: 'the disk is full' }, 'database', /^the disk is full$/],
  [
    'a thread that is silent',
    { ...WELL, threadSilentMs: TOO_LONG, lookAgeMs: TOO_LONG, stagedAgeMs: TOO_LONG },
    'thread',
    /has not responded for 60 s/,
  ],
  [
    'no look at the log',
    { ...WELL, lookAgeMs: TOO_LONG, stagedAgeMs: TOO_LONG },
    'look',
    /last read completely 60 s ago/,
  ],
  ['nothing is staged', { ...WELL, stagedAgeMs: TOO_LONG }, 'staging', /are not staged/],
  ['an image that stands still', { ...WELL, imageStalledMs: TOO_LONG }, 'image', /has been stuck/],
  ['a record', { ...WELL, recordStalledMs: TOO_LONG }, 'record', /could not be recorded/],
  ['the state file', { ...WELL, stateFileAgeMs: TOO_LONG }, 'state file', /could not be written/],
  [
    'commits that do not arrive',
    at('s3', { confirmedAgeMs: TOO_LONG, error: 'no route' }),
    'send',
    /^s3 lacks commits of the last 60 s: no route$/,
  ],
  [
    'commits that do not arrive, and nobody says why',
    at('s3', { confirmedAgeMs: TOO_LONG }),
    'send',
    /^s3 lacks commits of the last 60 s; see its log lines, and test it with sluice check$/,
  ],
  [
    'a request that moves nothing',
    at('s3', { stalledMs: TOO_LONG }),
    'send',
    /^s3 has not responded/,
  ],
  [
    'tries that all fail',
    at('s3', { failingMs: TOO_LONG, confirmedAgeMs: TOO_LONG, error: 'denied' }),
    'send',
    /^s3 has failed for 60 s: denied$/,
  ],
  [
    'snapshots that are refused',
    at('s3', { snapshotFailingMs: TOO_LONG }),
    'snapshot',
    /^s3 has refused full snapshots/,
  ],
  [
    'a snapshot that moves nothing',
    at('s3', { snapshotStalledMs: TOO_LONG }),
    'snapshot',
    /^s3 has accepted no bytes of a full snapshot/,
  ],
];

test.each(STILL)('%s is one problem, and is named', (_, facts, stage, message) => {
  const { healthy, problems } = judge(facts, LIMITS);
  expect(healthy).toBe(false);
  expect(problems).toHaveLength(1);
  expect(problems[0]).toMatchObject({ stage, message: expect.stringMatching(message) as string });
});

test('what has lasted exactly as long as it may is no problem yet', () => {
  const facts = { ...WELL, stagedAgeMs: MAX_LAG_MS, threadSilentMs: MAX_LAG_MS };
  expect(judge(facts, LIMITS).healthy).toBe(true);
});

test('a database that came to be missing just now is waited for', () => {
  expect(judge({ ...WELL, absence: { kind: 'no file', ms: 1 } }, LIMITS).healthy).toBe(true);
});

test('where nothing is staged destinations are behind, and are not blamed', () => {
  const facts = { ...at('s3', { confirmedAgeMs: TOO_LONG }), stagedAgeMs: TOO_LONG };
  const { problems, behind } = judge(facts, LIMITS);
  expect(behind).toEqual(['s3']);
  expect(problems.map(({ stage }) => stage)).toEqual(['staging']);
});

test('at the end, whoever lacks what was committed when the last sync began is behind', () => {
  const limits = { ...LIMITS, commitMs: 200 };
  const facts = { ...at('s3', { confirmedAgeMs: 201 }), lookAgeMs: 150, stagedAgeMs: 150 };
  const others = facts.destinations.map((each) =>
    each.name === 'disk' ? { ...each, confirmedAgeMs: 150 } : each,
  );
  const verdict = judge({ ...facts, destinations: others }, limits);
  expect([verdict.healthy, verdict.behind]).toEqual([false, ['s3']]);
});

test('what is known grows old while nothing is heard', () => {
  expect(judge(ageFacts(WELL, MAX_LAG_MS - 10_000), LIMITS).healthy).toBe(true);
  const { healthy, problems } = judge(ageFacts(WELL, MAX_LAG_MS), LIMITS);
  expect([healthy, problems[0]?.stage]).toEqual([false, 'thread']);
  const failing = ageFacts(at('s3', { failingMs: 1 }), MAX_LAG_MS);
  expect(failing.destinations.map(({ failingMs }) => failingMs)).toEqual([TOO_LONG, 0]);
});

test('lag is 0 only where nothing is lacking and somebody looked', () => {
  expect(lagMs(AT_DESTINATION, WELL.freshMs)).toBe(0);
  expect(lagMs({ ...AT_DESTINATION, isCurrent: false }, WELL.freshMs)).toBe(900);
  expect(lagMs({ ...AT_DESTINATION, confirmedAgeMs: 3_000 }, WELL.freshMs)).toBe(3_000);
});
