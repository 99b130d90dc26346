/** The lease that a process holds, and the one of another process as it is seen: each condition alone. */

import { expect, test } from 'vitest';
import type { Clock } from '../../../src/clock.ts';
import { ReplicationError } from '../../../src/error.ts';
import { HeldLease, SeenLease } from '../../../src/replicate/ownership/lease.ts';
import {
  formatOwner,
  parseOwner,
  type Lease,
  type Owner,
} from '../../../src/replicate/ownership/owner.ts';
import type { OwnerObjects } from '../../../src/replicate/ownership/owner-object.ts';
import { refusal } from '../scene.ts';

const TTL_MS = 30_000;
const OWNER: Owner = {
  ...{ host: 'web1', machine: undefined, path: '/data/app.db', pid: 7, txid: 1n },
  ...{ id: '00000000000000aa', run: '0000000000000001', epoch: 1, since: '2026-01-31T14:00:00Z' },
};
const OTHER_RUN = '0000000000000002';

/** Clocks that only the test moves. */
class Clocks implements Clock {
  monotonicMs = 1_000_000;
  wallMs = 1_700_000_000_000;

  now(): number {
    return this.wallMs;
  }

  monotonic(): number {
    return this.monotonicMs;
  }

  advance(ms: number): void {
    this.monotonicMs += ms;
    this.wallMs += ms;
  }
}

/** A server with one object. */
class Server implements OwnerObjects {
  text: string | undefined;
  /** The renewals of each write that was sent, in order. */
  readonly sent: number[] = [];
  reads = 0;
  conditions: 'honored' | 'ignored' = 'honored';
  /** Called before a write arrives, and after it. */
  before: () => void | Promise<void> = () => undefined;
  after: () => void = () => undefined;
  #version = 1;

  get version(): string {
    return `v${this.#version}`;
  }

  get owner(): Owner | undefined {
    const owner = this.text === undefined ? undefined : parseOwner(this.text);
    return typeof owner === 'object' ? owner : undefined;
  }

  /** Somebody writes it. */
  write(owner: Owner): void {
    this.#version += 1;
    this.text = formatOwner(owner);
  }

  readonly get: OwnerObjects['get'] = async (name) => {
    this.reads += 1;
    if (this.text === undefined) throw refusal('REPLICA_NOT_FOUND');
    const bytes = Buffer.from(this.text);
    const body = (async function* read() {
      yield bytes;
    })();
    return { name, sizeBytes: bytes.length, version: this.version, body };
  };

  readonly put: OwnerObjects['put'] = async (name, bytes, options) => {
    const condition = options?.condition;
    const owner = parseOwner(Buffer.from(bytes).toString()) as Owner;
    this.sent.push(owner.lease?.renewals ?? -1);
    await this.before();
    const there = this.text === undefined ? undefined : this.version;
    const wanted = typeof condition === 'object' ? condition.version : undefined;
    const isRefused = condition !== undefined && there !== wanted;
    if (isRefused && this.conditions === 'honored') throw refusal('REPLICA_CONFLICT');
    this.write(owner);
    this.after();
    return { name, sizeBytes: bytes.length, modifiedAt: new Date(0), version: this.version };
  };

  readonly delete: OwnerObjects['delete'] = async () => {
    this.text = undefined;
  };
}

function signal(): AbortSignal {
  return AbortSignal.timeout(60_000);
}

interface Scene {
  readonly clock: Clocks;
  readonly server: Server;
  readonly held: HeldLease;
  readonly renew: () => ReturnType<HeldLease['renew']>;
}

/** The owner object was just written, and the lease is not held yet. */
function adopted(): Scene {
  const [clock, server] = [new Clocks(), new Server()];
  const held = new HeldLease({ name: 'backup', ttlMs: TTL_MS, clock });
  server.write({ ...OWNER, lease: held.first });
  held.adopt(server.owner as Owner, server.version);
  return { clock, server, held, renew: () => held.renew(server, 2n, signal()) };
}

async function holding(): Promise<Scene> {
  const scene = adopted();
  expect(scene.held.isHeld).toBe(false);
  expect(scene.held.renewInMs).toBe(0);
  expect(await scene.renew()).toEqual({ kind: 'held' });
  expect(scene.held.isHeld).toBe(true);
  scene.server.sent.length = 0;
  scene.server.reads = 0;
  return scene;
}

test('a lease ends by the monotonic clock, whatever the wall clock says', async () => {
  const { clock, held } = await holding();
  clock.monotonicMs += TTL_MS - 1;
  clock.wallMs -= 3_600_000;
  expect(held.isHeld).toBe(true);
  clock.monotonicMs += 1;
  expect(held.isHeld).toBe(false);
  expect(held.mayBegin).toThrow(/the lease was not renewed for 30s/);
});

test('a lease ends by the wall clock, if the monotonic one stood still, and is due at once', async () => {
  const { clock, held } = await holding();
  clock.wallMs += TTL_MS - 1;
  expect(held.isHeld).toBe(true);
  expect(held.mayBegin).not.toThrow();
  clock.wallMs += 1;
  expect(held.isHeld).toBe(false);
  expect(held.mayBegin).toThrow(/the lease was not renewed/);
  expect(held.renewInMs).toBe(0);
});

test('it is renewed every third of its time, and counts from the moment before the renewal was sent', async () => {
  const { clock, server, held, renew } = await holding();
  expect(held.renewInMs).toBe(TTL_MS / 3);
  clock.advance(TTL_MS / 3);
  expect(held.renewInMs).toBe(0);
  server.before = () => clock.advance(4_000);
  server.after = () => clock.advance(3_000);
  await renew();
  expect(held.renewInMs).toBe(TTL_MS / 3 - 7_000);
  clock.advance(TTL_MS - 7_001);
  expect(held.isHeld).toBe(true);
  clock.advance(1);
  expect(held.isHeld).toBe(false);
});

test('after a failure the next try follows within a second, and a success ends that', async () => {
  const { clock, server, held, renew } = await holding();
  clock.advance(TTL_MS / 3);
  server.before = () => {
    throw refusal('REPLICA_UNAVAILABLE');
  };
  await expect(renew()).rejects.toMatchObject({ code: 'REPLICA_UNAVAILABLE' });
  expect(held.renewInMs).toBe(1_000);
  clock.advance(999);
  expect(held.renewInMs).toBe(1);
  clock.advance(1);
  expect(held.renewInMs).toBe(0);
  server.before = () => undefined;
  await renew();
  expect(held.renewInMs).toBe(TTL_MS / 3);
  const short = new HeldLease({ name: 'backup', ttlMs: 3_000, clock });
  short.adopt(OWNER, 'v0');
  server.before = () => {
    throw refusal('REPLICA_UNKNOWN');
  };
  await expect(short.renew(server, 1n, signal())).rejects.toThrow();
  expect(short.renewInMs).toBe(300);
});

test('calls at the same time share one renewal, and later ones do not', async () => {
  const { server, renew } = await holding();
  const gate = Promise.withResolvers<void>();
  server.before = () => gate.promise;
  const both = [renew(), renew()];
  gate.resolve();
  expect(await Promise.all(both)).toEqual([{ kind: 'held' }, { kind: 'held' }]);
  expect(server.sent).toHaveLength(1);
  await renew();
  expect(server.sent).toHaveLength(2);
});

test('once somebody else has written the object, nothing is held, although its time has not passed', async () => {
  const { server, held, renew } = await holding();
  server.write({ ...OWNER, run: OTHER_RUN });
  expect(await renew()).toMatchObject({ kind: 'lost', found: { owner: { run: OTHER_RUN } } });
  expect(held.isHeld).toBe(false);
  expect(held.mayBegin).toThrow();
  expect(held.renewInMs).toBe(Infinity);
  const { version } = server;
  expect(await renew()).toMatchObject({ kind: 'lost', found: { owner: { run: OTHER_RUN } } });
  expect(server.reads).toBe(2);
  await held.release(server, signal());
  expect(server.version).toBe(version);
});

test('a removed object is not written again by a renewal', async () => {
  const { server, renew } = await holding();
  server.text = undefined;
  expect(await renew()).toMatchObject({ kind: 'lost', found: { owner: undefined } });
  expect(server.text).toBeUndefined();
});

test('an object without a known version is only created', async () => {
  const { server, held, renew } = adopted();
  held.adopt(OWNER, undefined);
  expect(await renew()).toMatchObject({ kind: 'held' }); // its own, whose answer was lost
  server.write({ ...OWNER, run: OTHER_RUN });
  held.adopt(OWNER, undefined);
  expect(await renew()).toMatchObject({ kind: 'lost' });
});

test('that conditions are honored is proved once', async () => {
  const { server, renew } = adopted();
  await renew();
  expect(server.sent).toHaveLength(2);
  await renew();
  expect(server.sent).toHaveLength(3);
  const ignoring = adopted();
  ignoring.server.conditions = 'ignored';
  await expect(ignoring.renew()).rejects.toMatchObject({ code: 'REPLICA_UNSUPPORTED' });
  expect(ignoring.held.isHeld).toBe(false);
});

test('a proof that fails for another reason proves nothing', async () => {
  const { server, held, renew } = adopted();
  server.before = () => {
    if (server.sent.length === 2) throw refusal('REPLICA_UNAVAILABLE');
  };
  await expect(renew()).rejects.toMatchObject({ code: 'REPLICA_UNAVAILABLE' });
  expect(held.isHeld).toBe(false);
  await renew();
  expect(server.sent).toHaveLength(4);
  expect(held.isHeld).toBe(true);
});

test('a renewal whose answer was lost is followed by one with another number', async () => {
  const { server, held, renew } = await holding();
  server.after = () => {
    server.after = () => undefined;
    throw refusal('REPLICA_UNAVAILABLE');
  };
  await expect(renew()).rejects.toMatchObject({ code: 'REPLICA_UNAVAILABLE' });
  expect(await renew()).toEqual({ kind: 'held' });
  expect(held.isHeld).toBe(true);
  expect(server.owner?.lease?.renewals).toBe(server.sent.at(-1));
  expect(new Set(server.sent).size).toBe(server.sent.length);
  // A write that never arrived has a number too: it may arrive later.
  server.before = () => {
    server.before = () => undefined;
    throw refusal('REPLICA_UNAVAILABLE');
  };
  await expect(renew()).rejects.toMatchObject({ code: 'REPLICA_UNAVAILABLE' });
  await renew();
  expect(new Set(server.sent).size).toBe(server.sent.length);
});

test('the numbers continue after those of the object', async () => {
  const { server, held, renew } = adopted();
  const lease: Lease = { ...held.first, renewals: 40 };
  server.write({ ...OWNER, lease });
  held.adopt(server.owner as Owner, server.version);
  await renew();
  expect(server.sent[0]).toBe(41);
});

test('a server that answers "changed" for ever is an error, not a loop', async () => {
  const { server, renew } = await holding();
  server.before = () => {
    if (server.owner !== undefined) server.write(server.owner);
  };
  await expect(renew()).rejects.toMatchObject({ code: 'REPLICA_CONFLICT' });
  expect(server.sent).toHaveLength(3);
});

test('a release is the last write, after a renewal that is on its way', async () => {
  const { server, held, renew } = await holding();
  const gate = Promise.withResolvers<void>();
  server.before = () => gate.promise;
  const renewing = renew();
  const releasing = held.release(server, signal());
  gate.resolve();
  await Promise.all([renewing, releasing]);
  expect(server.sent).toHaveLength(2);
  expect(server.reads).toBe(0); // no conflict between the two
  expect(server.owner?.lease).toEqual({
    ttlMs: TTL_MS,
    renewals: server.sent[1],
    state: 'released',
  });
  expect(held.isHeld).toBe(false);
  await held.release(server, signal());
  expect(server.sent).toHaveLength(2);
});

test('nothing begins while the release is on its way', async () => {
  const { server, held } = await holding();
  const gate = Promise.withResolvers<void>();
  server.before = () => gate.promise;
  const releasing = held.release(server, signal());
  await Promise.resolve();
  expect(held.mayBegin).toThrow();
  gate.resolve();
  await releasing;
});

test('a renewal that was interrupted and arrived does not keep the lease from its release', async () => {
  const { server, held } = await holding();
  server.write({ ...OWNER, lease: { ...held.first, renewals: 9 } });
  await held.release(server, signal());
  expect(server.owner?.lease?.state).toBe('released');
});

test('the lease of another one is not released', async () => {
  const { server, held } = await holding();
  const lease: Lease = { ...held.first, renewals: 9 };
  server.write({ ...OWNER, run: OTHER_RUN, lease });
  await held.release(server, signal());
  expect(server.owner).toMatchObject({ run: OTHER_RUN, lease: { state: 'held' } });
});

test('a release that fails is an error of the release', async () => {
  const { server, held } = await holding();
  server.before = () => {
    throw new ReplicationError('REPLICA_UNAVAILABLE', 'no network');
  };
  await expect(held.release(server, signal())).rejects.toMatchObject({
    code: 'REPLICA_UNAVAILABLE',
  });
});

test('the lease of another one ends when its object has not changed for its time, by the monotonic clock', () => {
  const clock = new Clocks();
  const seen = new SeenLease(clock);
  const lease: Lease = { ttlMs: TTL_MS, renewals: 1, state: 'held' };
  expect(seen.see(OWNER)).toBe('none');
  expect(seen.see({ ...OWNER, lease })).toBe('held');
  clock.wallMs += 86_400_000;
  clock.monotonicMs += TTL_MS - 1;
  expect(seen.see({ ...OWNER, lease })).toBe('held');
  clock.monotonicMs += 1;
  expect(seen.see({ ...OWNER, lease })).toBe('ended');
  const renewed = { ...lease, renewals: 2 };
  expect(seen.see({ ...OWNER, lease: renewed })).toBe('held');
  clock.monotonicMs += TTL_MS;
  expect(seen.see({ ...OWNER, run: OTHER_RUN, lease: renewed })).toBe('held');
  const released: Lease = { ...renewed, state: 'released' };
  expect(seen.see({ ...OWNER, run: OTHER_RUN, lease: released })).toBe('ended');
});
