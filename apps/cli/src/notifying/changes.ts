/**
 * What a target has to be told: the difference between what it was told last and what is the case. So a change that is
 * over before it could be sent is not sent, nothing is sent twice, and nothing has to be kept in a queue. Pure.
 */

import type { DatabaseStatus } from '@sluice/core';
import { EVENTS, type NotifyEvent } from '../config/fields/notify.ts';

/** The databases that a target believes to be unhealthy, by path. */
export type Told = ReadonlySet<string>;

export interface HealthMessage {
  readonly event: NotifyEvent;
  readonly databases: readonly MessageDatabase[];
}

export interface MessageDatabase {
  readonly path: string;
  /** Empty if it is healthy. */
  readonly problems: readonly string[];
}

export type Judged = Pick<DatabaseStatus, 'path' | 'healthy' | 'problems'>;

/** At most one message for each event, with all databases of it. Those that are healthy again come last. */
export function planMessages(told: Told, now: readonly Judged[]): HealthMessage[] {
  const of: Record<NotifyEvent, MessageDatabase[]> = { unhealthy: [], healthy: [] };
  for (const { path, healthy, problems } of now) {
    if (healthy !== told.has(path)) continue;
    const messages = healthy ? [] : problems.map(({ message }) => message);
    of[healthy ? 'healthy' : 'unhealthy'].push({ path, problems: messages });
  }
  return EVENTS.filter((event) => of[event].length > 0).map((event) => {
    return { event, databases: of[event] };
  });
}

/** After a message was sent, or was not wanted. */
export function afterMessage(told: Told, { event, databases }: HealthMessage): Told {
  const paths = databases.map(({ path }) => path);
  const after = new Set(told);
  for (const path of paths) {
    if (event === 'unhealthy') after.add(path);
    else after.delete(path);
  }
  return after;
}

/** Without the databases that are not replicated any more. */
export function stillKnown(told: Told, now: readonly Judged[]): Told {
  const paths = new Set(now.map(({ path }) => path));
  return new Set([...told].filter((path) => paths.has(path)));
}

/** A message lists at most this many databases: all of thousands may fail together. */
const DATABASES_MAX = 20;
/** A problem may quote the answer of a server. */
const PROBLEM_LENGTH_MAX = 500;

/** A message as text and as JSON. */
export interface Described {
  readonly text: string;
  readonly listed: readonly MessageDatabase[];
  readonly more: number;
}

export function describeMessage({ event, databases }: HealthMessage): Described {
  const listed = databases.slice(0, DATABASES_MAX).map(({ path, problems }) => {
    return { path, problems: problems.map(shorten) };
  });
  const more = databases.length - listed.length;
  const lines = listed.map(({ path, problems }) =>
    event === 'healthy'
      ? `${path} is backed up again`
      : `${path} is not backed up as it should be: ${problems.join('; ')}`,
  );
  const rest = more === 0 ? [] : [`and ${more} more`];
  return { text: [...lines, ...rest].join('\n'), listed, more };
}

function shorten(text: string): string {
  return text.length <= PROBLEM_LENGTH_MAX ? text : `${text.slice(0, PROBLEM_LENGTH_MAX)}…`;
}
