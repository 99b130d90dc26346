/**
 * The status of databases that should be replicated and are not: one could not be started, or a command stopped it.
 * Without it they would be missing from /status, /metrics and the page, which would then be green.
 */

import type { DatabaseStatus, DestinationStatus, StatusError } from '@sluice/core';
import { completeOptions } from '@sluice/core';
import type { Member } from './database-set.ts';

const NO_WRITER = { pid: process.pid, host: '', boot: '', monotonicMs: 0, heartbeatMs: 0 };

export class Unfollowed {
  /** When a member was first seen in its state, by the monotonic clock. */
  readonly #since = new WeakMap<Member, { readonly state: Member['state']; readonly at: number }>();

  /** The status of the replicator, and of each member that is not in it. */
  complete(
    status: readonly DatabaseStatus[],
    members: readonly Member[],
    now: number = performance.now(),
  ): readonly DatabaseStatus[] {
    const known = new Set(status.map(({ path }) => path));
    const others = members.filter(({ config }) => !known.has(config.options.path));
    if (others.length === 0) return status;
    return [...status, ...others.map((member) => this.#toStatus(member, now))];
  }

  #toStatus(member: Member, now: number): DatabaseStatus {
    const { config, state, error } = member;
    const { path, maxLagMs, stagingMaxBytes } = completeOptions(config.options);
    const ms = now - this.#sinceOf(member, now);
    const why = describe(member);
    // A database that is about to be opened is not a problem yet.
    const isFine = state === 'starting' && ms <= maxLagMs;
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
      destinations: config.destinations
        .filter(({ enabled }) => enabled !== false)
        .map((destination) => toDestination(destination, ms / 1_000, found)),
    };
  }

  #sinceOf(member: Member, now: number): number {
    const known = this.#since.get(member);
    if (known?.state === member.state) return known.at;
    this.#since.set(member, { state: member.state, at: now });
    return now;
  }
}

const STATES = {
  starting: 'opening',
  replicating: 'opening',
  stopping: 'ended',
  stopped: 'ended',
  failed: 'failing',
} as const satisfies Record<Member['state'], DatabaseStatus['state']>;

function describe({ state, error }: Member): string {
  switch (state) {
    case 'failed':
      return `it is not replicated: ${error?.message ?? 'it could not be started'}`;
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
