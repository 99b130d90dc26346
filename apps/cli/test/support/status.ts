/** A healthy status, with what a test changes in it. */

import type { DatabaseStatus } from '@sluice/core';

type DestinationStatus = DatabaseStatus['destinations'][number];
type Facts = DatabaseStatus['facts']['destinations'][number];

export function destination(
  name: string,
  overrides: Partial<DestinationStatus> = {},
): DestinationStatus {
  return {
    name,
    type: 'file',
    target: `file:///backup/${name}`,
    state: 'streaming',
    txid: undefined,
    lagSeconds: 0,
    pendingFiles: 0,
    pendingBytes: 0,
    files: 214,
    bytes: 48_000_000,
    bytesSent: 123_456,
    lastSuccessAt: new Date(Date.now() - 4_000).toISOString(),
    lastError: undefined,
    ...overrides,
  };
}

export function status(path: string, overrides: Partial<DatabaseStatus> = {}): DatabaseStatus {
  const destinations = overrides.destinations ?? [destination('near'), destination('offsite')];
  const facts = (name: string): Facts => ({
    name,
    confirmedAgeMs: 800,
    isCurrent: true,
    stalledMs: 0,
    failingMs: 0,
    snapshotStalledMs: 0,
    snapshotFailingMs: 0,
    error: undefined,
  });
  return {
    path,
    state: 'following',
    at: new Date().toISOString(),
    pid: 1,
    writer: { pid: 1, host: 'h', boot: '', monotonicMs: 0, heartbeatMs: 10_000 },
    marks: undefined,
    txid: undefined,
    pageSize: 4096,
    stagedFiles: 2,
    stagedBytes: 81_000,
    commitsSeen: 71_204,
    walBytes: 3_400_000,
    healthy: true,
    problems: [],
    facts: {
      absence: undefined,
      failure: undefined,
      threadSilentMs: 0,
      lookAgeMs: 700,
      stagedAgeMs: 800,
      imageStalledMs: 0,
      recordStalledMs: 0,
      stateFileAgeMs: 0,
      freshMs: 3_000,
      destinations: destinations.map(({ name }) => facts(name)),
    },
    compaction: [],
    error: undefined,
    destinations,
    ...overrides,
  };
}
