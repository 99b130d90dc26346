/**
 * A simulated bucket. Its objects are in memory. Requests take time, and depending on its condition they
 * fail, hang, are executed without an answer, or list an older state. It may be emptied or rolled back.
 */

import type { ReplicaClient } from '../../../packages/core/src/store/client.ts';
import type { Fault } from '../../../packages/core/src/store/chaos.ts';
import type { MemoryStore } from '../../../packages/core/src/store/memory.ts';
import type { Random } from '../../../packages/core/test/support/random.ts';
import type { Core } from './core.ts';
import type { SimulatedProcess } from './process.ts';
import type { VirtualTime } from './virtual-time.ts';

export type BucketCondition = 'works' | 'slow' | 'flaky' | 'down' | 'hangs' | 'stale';

const FLAKY_CHANCE = 0.3;
const LATENCY_MS_MAX: Readonly<Record<BucketCondition, number>> = {
  works: 60,
  slow: 4_000,
  flaky: 300,
  down: 100,
  hangs: 100,
  stale: 60,
};

const SERVER_START_MS = Date.UTC(2026, 0, 1);
/** The clock of a server differs from ours, and no step of our clock changes it. */
const SERVER_SKEW_MS_MAX = 120_000;

type Objects = MemoryStore['objects'];

interface ClientInput {
  readonly process: SimulatedProcess;
  readonly random: Random;
  /** A request will get no answer. */
  readonly onHang: () => void;
  /** Such a request has ended. */
  readonly onHangEnd: () => void;
  /** A listing is stale. */
  readonly onMisled: () => void;
  readonly onList: () => void;
}

export class Bucket {
  readonly name: string;
  readonly store: MemoryStore;
  readonly #core: Core;
  readonly #time: VirtualTime;
  readonly #random: Random;
  #condition: BucketCondition = 'works';
  #steadySince = 0;
  /** Requests of each process that wait for an answer that will not come. */
  readonly #hanging = new Map<SimulatedProcess, number>();
  /** An older state, for listings that are stale and for a roll-back. */
  #older: Objects = new Map();
  /** Difference of the clock of its server to the virtual time. */
  readonly #serverMs: number;
  /** Called after an object was written, and after some were deleted. */
  onStored: (key: string, bytes: Uint8Array) => void = () => undefined;
  onDeleted: () => void = () => undefined;
  /** Grows with every change of its objects. */
  #version = 0;
  /** Whether a listing was ever stale: levels are continued after what was listed. */
  hasMisled = false;
  /** Whether its LTX files are encrypted. */
  isEncrypted = false;
  /** Time between full snapshots there; undefined: that of the database. */
  snapshotIntervalMs: number | undefined;
  /** When it last lost objects that were written to it. */
  #damagedAt: number | undefined;
  /** When it last began to answer a full listing of the replicator. */
  listedAt = 0;

  constructor(name: string, input: { core: Core; time: VirtualTime; random: Random }) {
    this.name = name;
    this.#core = input.core;
    this.#time = input.time;
    this.#random = input.random;
    this.#serverMs = SERVER_START_MS + input.random.int(-SERVER_SKEW_MS_MAX, SERVER_SKEW_MS_MAX);
    this.store = new input.core.MemoryStore();
    const put = this.store.put.bind(this.store);
    this.store.put = (key, bytes, times) => {
      const stored = put(key, bytes, times);
      this.#version += 1;
      this.onStored(key, bytes);
      return stored;
    };
  }

  get condition(): BucketCondition {
    return this.#condition;
  }

  /** How long its condition has been the same, and no request of a process that lives hangs. */
  get steadyMs(): number {
    for (const process of this.#hanging.keys()) if (!process.isDead) return 0;
    return this.#time.nowMs - this.#steadySince;
  }

  get version(): number {
    return this.#version;
  }

  get damagedAt(): number | undefined {
    return this.#damagedAt;
  }

  become(condition: BucketCondition): void {
    if (condition === this.#condition) return;
    this.#condition = condition;
    this.#steadySince = this.#time.nowMs;
  }

  keepCopy(): void {
    this.#older = new Map(this.store.objects);
  }

  empty(): void {
    this.#replaceBy(new Map());
  }

  rollBack(): void {
    this.#replaceBy(this.#older);
  }

  /** A client for requests of the replicator, without policies. */
  clientFor(process: SimulatedProcess): ReplicaClient {
    return this.#clientFor({
      process,
      random: this.#random,
      onHang: () => void this.#hanging.set(process, (this.#hanging.get(process) ?? 0) + 1),
      onHangEnd: () => {
        const others = (this.#hanging.get(process) ?? 1) - 1;
        if (others > 0) this.#hanging.set(process, others);
        else this.#hanging.delete(process);
        this.#steadySince = this.#time.nowMs;
      },
      onMisled: () => {
        this.hasMisled = true;
      },
      onList: () => {
        this.listedAt = this.#time.nowMs;
      },
    });
  }

  /** A client for a process that only reads. Its requests change nothing for the replicator. */
  readerFor(process: SimulatedProcess, random: Random): ReplicaClient {
    const ignore = (): void => undefined;
    return this.#clientFor({
      ...{ process, random },
      ...{ onHang: ignore, onHangEnd: ignore, onMisled: ignore, onList: ignore },
    });
  }

  #clientFor({ process, random, onHang, onHangEnd, onMisled, onList }: ClientInput): ReplicaClient {
    const connect = (store: MemoryStore): ReplicaClient =>
      this.#core.memoryClient({
        name: this.name,
        store,
        now: () => new Date(Math.floor(this.#serverMs + this.#time.nowMs)),
      });
    const inner = connect(this.store);
    /** The client that answers one request, and what to do after it. */
    const begin = async (method: Fault['on']) => {
      await process.enter(`${method} at ${this.name}`);
      await process.pause(random.int(1, LATENCY_MS_MAX[this.#condition]));
      const fault = this.#nextFault(method, random);
      if (fault?.at === 'hang') onHang();
      const client = fault === undefined ? inner : this.#core.chaos(inner, fault).client;
      const end = async (): Promise<void> => {
        if (fault?.at === 'hang') onHangEnd();
        await process.pause(random.int(1, LATENCY_MS_MAX[this.#condition]));
      };
      return { client, end };
    };
    const request = async <T>(method: Fault['on'], send: (client: ReplicaClient) => Promise<T>) => {
      const { client, end } = await begin(method);
      try {
        return await send(client);
      } finally {
        await end();
      }
    };
    const listing = (): ReplicaClient => {
      if (this.#condition !== 'stale' || random.chance(0.5)) return inner;
      onMisled();
      const store = new this.#core.MemoryStore();
      for (const [key, object] of this.#older) store.objects.set(key, object);
      return connect(store);
    };
    return {
      name: inner.name,
      layout: inner.layout,
      capabilities: inner.capabilities,
      async *list(prefix, options) {
        const { client, end } = await begin('list');
        if (prefix.endsWith('ltx/')) onList();
        try {
          yield* (client === inner ? listing() : client).list(prefix, options);
        } finally {
          await end();
        }
      },
      get: (key, options) => request('get', (client) => client.get(key, options)),
      put: (key, body, options) => request('put', (client) => client.put(key, body, options)),
      delete: (keys, options) =>
        request('delete', async (client) => {
          try {
            // A server deletes in any order, and part of a request that fails may be done.
            const first = keys.filter(() => random.chance(0.5));
            if (client === inner || this.#condition === 'flaky') {
              await inner.delete(first, options);
              this.#version += 1;
              this.onDeleted();
            }
            await client.delete(keys, options);
          } finally {
            this.#version += 1;
            this.onDeleted();
          }
        }),
      copy: (from, to, options) =>
        request('copy', async (client) => {
          if (client.copy === undefined) throw new Error('the memory client can copy');
          return await client.copy(from, to, options);
        }),
      close: () => inner.close(),
    };
  }

  /** Age of an object that was written at `modifiedAt`. */
  ageMs(modifiedAt: Date): number {
    return this.#serverMs + this.#time.nowMs - modifiedAt.getTime();
  }

  /** A client for checks: it answers at once, and never fails. */
  observer(): ReplicaClient {
    return this.#core.memoryClient({ name: this.name, store: this.store });
  }

  #replaceBy(objects: Objects): void {
    const before = new Map(this.store.objects);
    this.#version += 1;
    this.store.objects.clear();
    for (const [key, object] of objects) this.store.objects.set(key, object);
    this.#older = new Map(objects); // a stale listing shows nothing that was lost
    const hasLost = [...before].some(([key, object]) => objects.get(key) !== object);
    if (hasLost) this.#damagedAt = this.#time.nowMs;
  }

  #nextFault(on: Fault['on'], random: Random): Fault | undefined {
    const code = 'REPLICA_UNAVAILABLE';
    const error = new this.#core.ReplicationError(code, `${on} at ${this.name}: connection reset`);
    switch (this.#condition) {
      case 'down':
        return { on, error };
      case 'hangs':
        return { on, error, at: 'hang' };
      case 'flaky': {
        if (!random.chance(FLAKY_CHANCE)) return undefined;
        const isStream = on === 'list' || on === 'get';
        const at = isStream ? random.pick(['before', 0, 1]) : random.pick(['before', 'commit']);
        return { on, error, at: at as NonNullable<Fault['at']> };
      }
      case 'works':
      case 'slow':
      case 'stale':
        return undefined;
    }
  }
}
