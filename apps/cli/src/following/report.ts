/**
 * Prints what a follower does.
 *
 *  terminal   one line, which is redrawn
 *  otherwise  a line for each change, and one a minute
 *  -json      the same, as JSON
 *
 * Warnings go to the log.
 */

import type { Clock, CopyStatus, FollowEvent } from '@sluice/core';
import { formatBytes, formatDuration } from '@sluice/core/config';
import type { Logger } from '@sluice/core/backend';
import { describeFailure } from '../restoring/survey.ts';
import { printJSON, type Shell } from '../shell.ts';

const REPEAT_MS = 60_000;
const CLEAR_TO_END = '\u001b[K';

export interface FollowReportOptions {
  readonly form: 'text' | 'json';
  readonly output: string;
  readonly shell: Shell;
  readonly logger: Logger;
  readonly clock: Clock;
}

export class FollowReport {
  readonly #options: FollowReportOptions;
  readonly #isTerminal: boolean;
  #printedAt = -Infinity;
  /** When the copy was last known to hold the newest state. */
  #currentAt: number | undefined;
  #older: string | undefined;
  /** Whether the last line says that the copy had the newest state. */
  #isKnownCurrent = false;

  constructor(options: FollowReportOptions) {
    this.#options = options;
    const stream: NodeJS.WritableStream & { readonly isTTY?: boolean } = options.shell.stdout;
    this.#isTerminal = options.form === 'text' && stream.isTTY === true;
  }

  readonly onEvent = (event: FollowEvent): void => {
    const now = this.#options.clock.monotonic();
    const lagMs = this.#lagMs(event, now);
    if (event.kind === 'current') this.#currentAt = now;
    if (this.#isWorthPrinting(event, now)) this.#print(event, lagMs, now);
    this.#warn(event);
  };

  /** Ends the line of a terminal. */
  end(): void {
    if (this.#isTerminal && this.#printedAt !== -Infinity) this.#options.shell.stdout.write('\n');
  }

  /** 0 if the copy holds the newest state; else for how long it does not, as far as is known. */
  #lagMs(event: FollowEvent, now: number): number | undefined {
    if (!('txid' in event)) return undefined;
    if (event.kind === 'current') return 0;
    if (event.kind === 'following') return undefined; // nothing was looked at yet
    const isChange = event.kind === 'applied' || event.kind === 'rebased';
    if (!isChange && this.#currentAt !== undefined) return now - this.#currentAt;
    return ageMs(event, this.#options.clock.now());
  }

  #isWorthPrinting(event: FollowEvent, now: number): boolean {
    if (this.#isTerminal) return 'txid' in event;
    if (event.kind === 'current') {
      return !this.#isKnownCurrent || now - this.#printedAt >= REPEAT_MS;
    }
    if (event.kind === 'older') return this.#older !== keyOf(event);
    return this.#options.form === 'json' || (event.kind !== 'avoided' && event.kind !== 'blocked');
  }

  #print(event: FollowEvent, lagMs: number | undefined, now: number): void {
    const { form, shell, output } = this.#options;
    if (form === 'text' && (!('txid' in event) || event.kind === 'failing')) return;
    this.#printedAt = now;
    this.#isKnownCurrent = ['current', 'applied', 'rebased'].includes(event.kind);
    if (form === 'json' || !('txid' in event)) return printJSON(shell, toJSON(event, lagMs));
    const text = `${output}: TXID ${event.txid}, written at ${event.timestamp.toISOString()}${describe(event, lagMs)}`;
    shell.stdout.write(this.#isTerminal ? `\r${text}${CLEAR_TO_END}` : `${text}\n`);
  }

  #warn(event: FollowEvent): void {
    const { logger, output } = this.#options;
    switch (event.kind) {
      case 'failing': {
        const { message, code } = describeFailure(event.error);
        return logger.warn(`${event.source} cannot be followed, and is tried again: ${message}`, {
          code,
        });
      }
      case 'recovered':
        return logger.warn(`${event.source} is followed again`);
      case 'avoided':
        return logger.warn(`a damaged file is left out: ${event.error.message}`);
      case 'blocked':
        return logger.warn(
          `a program keeps a transaction open on ${output}: the copy waits for it`,
        );
      case 'older': {
        if (this.#older === keyOf(event)) return;
        this.#older = keyOf(event);
        return logger.warn(
          `${event.source} has only older states, up to TXID ${event.highest}; the copy stays at TXID ${event.txid}`,
        );
      }
      case 'following':
      case 'current':
      case 'applied':
      case 'rebased':
        return undefined;
    }
  }
}

/** Since the commit of this state, if the clocks of both machines agree. */
function ageMs({ timestamp }: CopyStatus, now: number): number {
  return Math.max(0, now - timestamp.getTime());
}

function keyOf({ source, highest, txid }: FollowEvent & { kind: 'older' }): string {
  return `${source} ${highest} ${txid}`;
}

function describe(event: FollowEvent, lagMs: number | undefined): string {
  const behind = `lag ${formatDuration(Math.round(lagMs ?? 0))}`;
  switch (event.kind) {
    case 'current':
      return `, up to date with ${event.source}`;
    case 'applied':
      return `, ${event.files} ${event.files === 1 ? 'file' : 'files'}, ${formatBytes(event.bytes)} from ${event.source}, ${behind}`;
    case 'rebased':
      return `, rebased (${event.reason}), ${formatBytes(event.bytes)} from ${event.source}, ${behind}`;
    case 'recovered':
    case 'older':
      return `, ${behind}`;
    case 'following':
      return ', looking for newer states';
    case 'failing':
    case 'avoided':
    case 'blocked':
      return '';
  }
}

function toJSON(event: FollowEvent, lagMs: number | undefined): object {
  const { kind, ...rest } = event;
  const { error, source, ...more } = rest as typeof rest & { error?: Error; source?: string };
  return {
    event: kind,
    replica: source,
    ...more,
    lag_ms: lagMs === undefined ? undefined : Math.round(lagMs),
    ...(error === undefined ? {} : describeFailure(error)),
  };
}
