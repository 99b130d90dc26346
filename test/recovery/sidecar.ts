/** A replicator process beside an application. Tests start, query, stop and kill it. */

import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import type { DatabaseOptions, DatabaseStatus } from '@sluice/core';
import { formatTXID } from '@sluice/core/ltx';
import { onTestFinished } from 'vitest';
import { until } from '../support/wait.ts';
import type { Fault } from './faults.ts';
import type { SidecarOrder, SidecarReply } from './sidecar-host.ts';

export interface SidecarArguments {
  readonly database: string;
  readonly options?: Partial<DatabaseOptions>;
  readonly destinations: readonly {
    readonly name: string;
    readonly folder: string;
    readonly fault?: Fault;
  }[];
  /** Environment variables added to those of the test. */
  readonly environment?: Readonly<Record<string, string>>;
  /** The process kills itself after writing this many files to the destination. */
  readonly killAfter?: { readonly name: string; readonly files: number };
}

export type Beginning =
  | { kind: 'resumed' }
  /** Only the pages that have changed are sent. */
  | { kind: 'changed pages'; why: string }
  | { kind: 'full snapshot'; why: string };

/** Omit, applied to each member of a union. */
type Without<T, Key extends keyof T> = T extends unknown ? Omit<T, Key> : never;

export class Sidecar {
  readonly messages: string[] = [];
  readonly #child: ChildProcess;
  readonly #calls = new Map<number, (reply: SidecarReply & { kind: 'reply' }) => void>();
  readonly #exited: Promise<unknown>;
  #call = 0;
  #hasExited = false;

  constructor(options: SidecarArguments) {
    const file = path.join(import.meta.dirname, 'sidecar-host.ts');
    const env = { ...process.env, ...options.environment };
    const child = fork(file, [JSON.stringify(options)], { env });
    this.#child = child;
    this.#exited = once(child, 'exit').then(() => (this.#hasExited = true));
    child.on('message', (reply: SidecarReply) => {
      if (reply.kind === 'log') this.messages.push(reply.message);
      else this.#calls.get(reply.call)?.(reply);
    });
    onTestFinished(() => this.kill());
  }

  /** Whether replication resumed, compared pages or took a full snapshot. Waits for the decision. */
  async beginning(): Promise<Beginning> {
    let beginning: Beginning | undefined;
    await until('the replicator has begun', () => {
      let compared = '';
      for (const message of this.messages) {
        compared = /^comparing the database with TXID \w+: (.*)$/s.exec(message)?.[1] ?? compared;
        if (message.includes('since the last run')) {
          beginning ??= { kind: 'changed pages', why: compared };
        }
        const [, why] = /^taking a full snapshot: (.*)$/s.exec(message) ?? [];
        if (why !== undefined) beginning ??= { kind: 'full snapshot', why };
        if (message.startsWith('continuing after')) beginning ??= { kind: 'resumed' };
      }
      return beginning !== undefined;
    });
    return beginning as Beginning;
  }

  async status(): Promise<DatabaseStatus> {
    const { status } = await this.#order({ kind: 'status' });
    if (status === undefined) throw new Error('the replicator has no database');
    return status;
  }

  /** Waits until all commits are at `names` (default: at every destination). Returns their TXID. */
  async settled(names?: readonly string[]): Promise<bigint> {
    const txid = await this.staged();
    await this.has(txid, names);
    return txid;
  }

  /** Waits until all commits are staged. Returns their TXID. */
  async staged(): Promise<bigint> {
    await this.beginning();
    let txid: bigint | undefined;
    await until('all commits are staged', async () => {
      const reply = await this.#order({ kind: 'sync' });
      txid = reply.txid === undefined ? undefined : BigInt(reply.txid);
      return txid !== undefined;
    });
    return txid ?? 0n;
  }

  async has(txid: bigint, names?: readonly string[]): Promise<void> {
    let status: DatabaseStatus | undefined;
    const isThere = async (): Promise<boolean> => {
      status = await this.status();
      const selected = status.destinations.filter(({ name }) => names?.includes(name) ?? true);
      return selected.every(({ txid: at }) => BigInt(`0x${at ?? '0'}`) >= txid);
    };
    try {
      await until(`TXID ${formatTXID(txid)} is replicated`, isThere, HAS_MS_MAX);
    } catch (error) {
      const context = [...this.messages, JSON.stringify(status, undefined, 2)];
      throw new Error(context.join('\n'), { cause: error });
    }
  }

  /** Waits for a log line that matches `pattern`. */
  async says(pattern: RegExp): Promise<void> {
    const hasLogged = (): boolean => this.messages.some((message) => pattern.test(message));
    try {
      await until(`the replicator logs ${pattern}`, hasLogged, HAS_MS_MAX);
    } catch (error) {
      throw new Error(this.messages.join('\n'), { cause: error });
    }
  }

  async setFault(name: string, fault: Fault): Promise<void> {
    await this.#order({ kind: 'fault', name, fault });
  }

  async end(by: 'stop' | 'SIGKILL'): Promise<void> {
    if (by === 'SIGKILL') await this.kill();
    else await this.stop();
  }

  /** Stops as on SIGTERM: a final sync, then exit. */
  async stop(): Promise<void> {
    await this.#order({ kind: 'stop' });
    await this.#exited;
  }

  async kill(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.#exited;
  }

  /** Waits until the process has exited by itself. */
  async ended(): Promise<void> {
    await until('the replicator has ended', () => this.#hasExited, HAS_MS_MAX);
  }

  async #order(order: Without<SidecarOrder, 'call'>): Promise<SidecarReply & { kind: 'reply' }> {
    const call = this.#call++;
    const replied = new Promise<SidecarReply & { kind: 'reply' }>((resolve, reject) => {
      this.#calls.set(call, resolve);
      void this.#exited.then(() => {
        reject(new Error(`the replicator has ended:\n${this.messages.join('\n')}`));
      });
    });
    if (!this.#hasExited) this.#child.send({ ...order, call });
    return await replied;
  }
}

/** Several times the longest wait between two attempts at a failing destination, on a slow disk. */
const HAS_MS_MAX = 150_000;
