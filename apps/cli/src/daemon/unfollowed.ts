/**
 * The status of databases that should be replicated and are not: one could not be started, or a command stopped it.
 * Without it they would be missing from /status, /metrics and the page, which would then be green. The same for the report
 * of the last sync.
 */

import type { DatabaseReport, DatabaseStatus, DestinationStatus, StatusError } from '@sluice/core';
import { completeOptions } from '@sluice/core';
import type { Member } from './database-set.ts';

const NO_WRITER = { pid: process.pid, host: '', boot: '', monotonicMs: 0, heartbeatMs: 10_000 };

export class Unfollowed {
  /** When a member was first seen in its state, by the monotonic clock. */
  readonly #since = new WeakMap<Member, { readonly state: Member['state']; readonly at: number }>();

  /**
   * The status of the replicator, and of each member that is not in it. One that has failed and is tried again is not
   * healthy before that has succeeded.
   */
  complete(
    status: readonly DatabaseStatus[],
    members: readonly Member[],
    now: number = performance.now(),
  ): readonly DatabaseStatus[] {
    const known = new Set(status.map(({ path }) => path));
    const others = members.filter(({ config }) => !known.has(config.options.path));
    const judged = withFailures(status, members);
    if (others.length === 0) return judged;
    return [...judged, ...others.map((member) => this.#toStatus(member, now))];
  }

  #toStatus(member: Member, now: number): DatabaseStatus {
    const { config, state, error } = member;
    const { path, maxLagMs, stagingMaxBytes } = completeOptions(config.options);
    const ms = now - this.#sinceOf(member, now);
    const why = describe(member);
    // A database that is about to be opened is not a problem yet.
    const isFine = state === 'starting' && error === undefined && ms <= maxLagMs;
    const wall = new Date();
    const at = wall.toISOString();
    const since = new Date(wall.getTime() - ms).toISOString();
    const found = error && { code: error.code, message: error.message, at, since };
    return {
      ...{ path, at, pid: process.pid, writer: NO_WRITER, marks: undefined, txid: undefined },
      state: STATES[state],
      ...{ pageSize: undefined, stagedFiles: 0, stagedBytes: 0, commitsSeen: 0, walBytes: 0 },
      stagingMaxBytes,
      healthy: isFine,
      problems: isFine ? [] : [{ stage: 'database', message: why }],
      facts: {
        ...{ absence: undefined, failure: isFine ? undefined : why, threadSilentMs: 0 },
        ...{ lookAgeMs: ms, stagedAgeMs: ms, imageStalledMs: 0, recordStalledMs: 0 },
        ...{ stateFileAgeMs: 0, freshMs: 0, destinations: [] },
      },
      error: found,
      destinations: enabledOf(member).map((destination) =>
        toDestination(destination, ms / 1_000, found),
      ),
    };
  }

  #sinceOf(member: Member, now: number): number {
    const known = this.#since.get(member);
    if (known?.state === member.state) return known.at;
    this.#since.set(member, { state: member.state, at: now });
    return now;
  }
}

/** What failed databases lack must show in the exit code. One that a command has stopped got its last sync then. */
export function completeReport(
  databases: readonly DatabaseReport[],
  members: readonly Member[],
): readonly DatabaseReport[] {
  const known = new Set(databases.map(({ path }) => path));
  const others = members.filter(({ config, state, error }) => {
    const isLacking = state === 'failed' || state === 'starting' || error !== undefined;
    return isLacking && !known.has(config.options.path);
  });
  return [...withFailures(databases, members), ...others.map(toReport)];
}

function toReport(member: Member): DatabaseReport {
  const { path } = member.config.options;
  const message = describe(member);
  const cause = { code: member.error?.code ?? 'DATABASE_BUSY', message };
  const unsent = { txid: undefined, complete: 'behind', cause } as const;
  return {
    ...{ path, txid: undefined, absence: undefined, healthy: false, error: undefined },
    problems: [{ stage: 'database', message }],
    destinations: enabledOf(member).map(({ name, target }) => ({ name, target, ...unsent })),
  };
}

/** The same databases, with the problem of each member that has failed and is tried again. */
function withFailures<Each extends Pick<DatabaseReport, 'path' | 'healthy' | 'problems'>>(
  databases: readonly Each[],
  members: readonly Member[],
): readonly Each[] {
  const failed = members.filter(({ error }) => error !== undefined);
  if (failed.length === 0) return databases;
  const messages = new Map(failed.map((each) => [each.config.options.path, describe(each)]));
  return databases.map((each) => {
    const message = messages.get(each.path);
    if (message === undefined) return each;
    const problem = { stage: 'database', message } as const;
    return { ...each, healthy: false, problems: [problem, ...each.problems] };
  });
}

function enabledOf({ config }: Member): Member['config']['destinations'] {
  return config.destinations.filter(({ enabled }) => enabled !== false);
}

const STATES = {
  starting: 'opening',
  replicating: 'opening',
  stopping: 'ended',
  stopped: 'ended',
  failed: 'failing',
} as const satisfies Record<Member['state'], DatabaseStatus['state']>;

function describe({ state, error }: Member): string {
  if (error !== undefined) return `it is not replicated: ${error.message}`;
  switch (state) {
    case 'failed':
      return 'it is not replicated: it could not be started';
    case 'stopped':
    case 'stopping':
      return 'a command has stopped its replication: "sluice start" continues';
    case 'starting':
    case 'replicating':
      return 'it has not been opened yet';
  }
}

function toDestination(
  { name, type, target }: Member['config']['destinations'][number],
  lagSeconds: number,
  lastError: StatusError | undefined,
): DestinationStatus {
  return {
    ...{ name, type, target, state: 'closed', txid: undefined, lagSeconds, lastError },
    ...{ pendingFiles: 0, pendingBytes: 0, bytesSent: 0, lastSuccessAt: undefined },
  };
}
