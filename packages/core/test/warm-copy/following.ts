/** Follows buckets in memory, and waits for what the follower reports. */

import fs from 'node:fs';
import path from 'node:path';
import { expect, onTestFinished } from 'vitest';
import { systemFiles, type FileSystem } from '../../src/file-system.ts';
import { systemRandom } from '../../src/random.ts';
import type { ReplicaFiles } from '../../src/replica/replica.ts';
import { restore } from '../../src/restore/restore.ts';
import type { Overwrite } from '../../src/restore/output-target.ts';
import { systemTimers } from '../../src/store/timers.ts';
import type { CopyPorts } from '../../src/warm-copy/copy.ts';
import { Follower, type FollowEvent } from '../../src/warm-copy/follower.ts';
import { contentOf, joined, type Source } from './source.ts';

type Kind = FollowEvent['kind'];
type EventOf<K extends Kind> = Extract<FollowEvent, { kind: K }>;

export interface FollowingOptions {
  readonly clients: readonly ReplicaFiles[];
  readonly overwrite?: Overwrite;
  readonly files?: FileSystem;
}

const INTERVAL_MS = 100;
/** The follower's time runs faster by this. */
const HASTE = 100;

export const fastPorts: CopyPorts = {
  files: systemFiles,
  random: systemRandom,
  clock: {
    now: () => systemTimers.now(),
    monotonic: () => systemTimers.monotonic() * HASTE,
    after: (ms, callback) => systemTimers.after(ms / HASTE, callback),
  },
};

/** A running follower. */
export class Following {
  readonly output: string;
  readonly events: FollowEvent[] = [];
  /** Every event, taken or not. */
  readonly seen: FollowEvent[] = [];
  /** Set if the follower ended with an error. */
  failure: Error | undefined;
  readonly #stop = new AbortController();
  readonly #waiting = new Set<() => void>();
  #ended: Promise<void> = Promise.resolve();

  static async start(folder: string, options: FollowingOptions): Promise<Following> {
    const following = new Following(path.join(folder, 'copy.db'));
    const follower = await following.#open(options);
    following.#ended = following.#run(follower, options);
    onTestFinished(() => following.stop());
    return following;
  }

  private constructor(output: string) {
    this.output = output;
  }

  /** The next event of this kind, or one that was reported already and not taken. */
  async next<K extends Kind>(
    kind: K,
    isWanted: (event: EventOf<K>) => boolean = () => true,
  ): Promise<EventOf<K>> {
    for (;;) {
      const at = this.events.findIndex(
        (each) => each.kind === kind && isWanted(each as EventOf<K>),
      );
      const found = this.events[at];
      if (found !== undefined) {
        this.events.splice(0, at + 1);
        return found as EventOf<K>;
      }
      if (this.failure !== undefined) throw this.failure;
      await new Promise<void>((resolve) => this.#waiting.add(resolve));
    }
  }

  /** Waits until the copy has the last state of `source`, and compares every byte. */
  async expectState(source: Source): Promise<void> {
    const txid = source.txid.toString(16).padStart(16, '0');
    await this.next('current', (event) => event.txid === txid);
    this.expectBytes(source, source.txid);
  }

  expectBytes(source: Source, txid: number): void {
    const copy = contentOf(new Uint8Array(fs.readFileSync(this.output)));
    expect(Buffer.compare(copy, contentOf(joined(source.imageOf(txid))))).toBe(0);
  }

  async stop(): Promise<void> {
    this.#stop.abort(new Error('stopped by the test'));
    await this.#ended;
  }

  async #open({
    clients,
    overwrite = 'refuse',
    files = systemFiles,
  }: FollowingOptions): Promise<Follower> {
    const { output } = this;
    const { signal } = this.#stop;
    const onEvent = (event: FollowEvent): void => this.#add(event);
    const ports = { ...fastPorts, files };
    const follower = await Follower.open({ output, overwrite, onEvent, signal, ports });
    if (follower.status !== undefined) return follower;
    try {
      await restore({
        sources: clients.map((client, at) => ({ name: `bucket ${at}`, client })),
        output,
        overwrite,
        target: { kind: 'latest' },
        onVerified: (verified) => follower.makeCopy(verified),
        signal,
      });
      return follower;
    } catch (error) {
      await follower.close();
      throw error;
    }
  }

  async #run(follower: Follower, { clients }: FollowingOptions): Promise<void> {
    const sources = clients.map((client, at) => {
      const name = `bucket ${at}`;
      return { name, open: async () => await Promise.resolve({ name, client }) };
    });
    try {
      await follower.follow({ sources, intervalMs: INTERVAL_MS });
    } catch (error) {
      this.failure = error as Error;
    } finally {
      await follower.close();
      this.#wake();
    }
  }

  #add(event: FollowEvent): void {
    this.events.push(event);
    this.seen.push(event);
    this.#wake();
  }

  #wake(): void {
    for (const wake of this.#waiting) wake();
    this.#waiting.clear();
  }
}
