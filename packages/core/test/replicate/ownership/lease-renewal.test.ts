/** The renewals of a lease, and what keeps everything else from being sent without it: each condition alone. */

import { setTimeout as sleep } from 'node:timers/promises';
import { expect, onTestFinished, test, vi } from 'vitest';
import { ReplicationError, type ErrorCode } from '../../../src/error.ts';
import { systemRandom } from '../../../src/random.ts';
import type { ReplicaFiles } from '../../../src/replica/replica.ts';
import { guarded, LeaseRenewal } from '../../../src/replicate/destination/lease-renewal.ts';
import { LEASE_POLL_MS, type Ownership } from '../../../src/replicate/ownership/ownership.ts';
import { refusal, StoppedClock } from '../scene.ts';

const TTL_MS = 30_000;
const END = new Error('the end of the run');

interface Given {
  readonly uses?: 'no lease';
  readonly isOpen?: boolean;
}

/** The renewals of one destination, with everything around them. */
class Scene {
  isHeld = true;
  renewInMs = Infinity;
  /** How often that was asked. */
  reads = 0;
  isWaiting = false;
  /** What the next renewals do. */
  renew: (signal: AbortSignal) => Promise<void> = async () => undefined;
  readonly calls: string[] = [];
  readonly renewal: LeaseRenewal;

  constructor({ uses, isOpen = true }: Given = {}) {
    const { calls } = this;
    const log = (level: string) => (message: string) => void calls.push(`${level}: ${message}`);
    const lease = {
      isHeld: () => this.isHeld,
      renewInMs: () => {
        this.reads += 1;
        return this.renewInMs;
      },
    };
    const ownership = {
      lease:
        uses === 'no lease'
          ? undefined
          : {
              ttlMs: TTL_MS,
              mayBegin: () => undefined,
              get isHeld() {
                return lease.isHeld();
              },
              get renewInMs() {
                return lease.renewInMs();
              },
            },
      renewLease: async (_: unknown, highest: bigint, signal: AbortSignal) => {
        calls.push(`renew at ${highest}`);
        this.renewInMs = Infinity;
        await this.renew(signal);
      },
      releaseLease: async () => void calls.push('release'),
    };
    Object.defineProperty(ownership, 'isWaiting', { get: () => this.isWaiting });
    const client = isOpen ? { objects: {} } : undefined;
    this.renewal = new LeaseRenewal({
      ...{ name: 'backup', target: 'memory://backup', random: systemRandom },
      clock: new StoppedClock(),
      ownership: ownership as unknown as Ownership,
      connection: { replica: client && { client } } as never,
      holdings: { highest: 7n, requireListing: () => void calls.push('list') },
      parts: () => [
        {
          wake: () => void calls.push('wake'),
          interrupt: (reason) => void calls.push(`interrupt: ${String(reason)}`),
        },
      ],
      logger: {
        ...{ debug: log('debug'), info: log('info') },
        ...{ warn: log('warn'), error: log('error') },
      },
    });
    onTestFinished(async () => await this.renewal.close(END));
  }

  async fails(code: ErrorCode): Promise<void> {
    this.renew = async () => await Promise.reject(refusal(code));
    await this.renewsOnce();
  }

  /** A renewal is due. */
  async renewsOnce(): Promise<void> {
    const before = this.calls.filter((call) => call.startsWith('renew')).length;
    this.renewInMs = 0;
    this.renewal.start();
    this.renewal.wake();
    await vi.waitFor(() =>
      expect(this.calls.filter((call) => call.startsWith('renew'))).toHaveLength(before + 1),
    );
    await turn();
  }
}

/** Everything that needs no timer has run. */
async function turn(): Promise<void> {
  await new Promise((resolve) => void setImmediate(resolve));
}

test('a renewal is sent when it is due, and not before', async () => {
  const scene = new Scene();
  scene.renewal.start();
  scene.renewal.wake();
  await turn();
  expect(scene.calls).toEqual([]);
  await scene.renewsOnce();
  expect(scene.calls).toEqual(['renew at 7']);
});

test('without a lease everything may be sent, and nothing is renewed', async () => {
  const scene = new Scene({ uses: 'no lease' });
  expect([scene.renewal.isHeld, scene.renewal.ttlMs, scene.renewal.pauseMs]).toEqual([
    true,
    0,
    undefined,
  ]);
  scene.renewal.start();
  await scene.renewal.require(AbortSignal.timeout(60_000));
  await turn();
  expect(scene.calls).toEqual([]);
});

test('one that waits reads the owner once a second', () => {
  const scene = new Scene();
  expect([scene.renewal.isWaiting, scene.renewal.pauseMs]).toEqual([false, undefined]);
  scene.isWaiting = true;
  expect([scene.renewal.isWaiting, scene.renewal.pauseMs]).toEqual([true, LEASE_POLL_MS]);
});

test('a lease that is held is not required again, one that has ended is', async () => {
  const scene = new Scene();
  const require = async (): Promise<void> =>
    await scene.renewal.require(AbortSignal.timeout(60_000));
  await require();
  expect(scene.calls).toEqual([]);
  scene.isHeld = false;
  expect(scene.renewal.isHeld).toBe(false);
  await require();
  expect(scene.calls).toEqual(['renew at 7']);
  scene.renew = async () => await Promise.reject(refusal('REPLICA_UNAVAILABLE'));
  await expect(require()).rejects.toMatchObject({ code: 'REPLICA_UNAVAILABLE' });
  expect(scene.calls).toEqual(['renew at 7', 'renew at 7']);
  const closed = new Scene({ isOpen: false });
  closed.isHeld = false;
  await closed.renewal.require(AbortSignal.timeout(60_000));
  expect(closed.calls).toEqual([]);
});

test('after a lease was taken again, its renewals go on', async () => {
  const scene = new Scene();
  scene.renewal.start(); // it has none, so it sleeps until it is woken
  await turn();
  scene.isHeld = false;
  scene.renew = async () => {
    scene.renew = async () => undefined;
    scene.renewInMs = 0;
  };
  await scene.renewal.require(AbortSignal.timeout(60_000));
  await vi.waitFor(() => expect(scene.calls).toEqual(['renew at 7', 'renew at 7']));
});

test.for(['REPLICA_IN_USE', 'REPLICA_CHANGED'] as const)(
  'a loss (%s) stops everything that is being sent, and the destination is listed',
  async (code) => {
    const scene = new Scene();
    await scene.fails(code);
    const [, ...after] = scene.calls;
    expect(after).toEqual(['list', expect.stringMatching(/^interrupt: /), 'wake']);
    scene.calls.length = 0;
    scene.isHeld = false;
    await expect(scene.renewal.require(AbortSignal.timeout(60_000))).rejects.toMatchObject({
      code,
    });
    expect(scene.calls).toEqual([
      'renew at 7',
      'list',
      expect.stringMatching(/^interrupt: /),
      'wake',
    ]);
  },
);

test('a failure is one warning, and its end is one line', async () => {
  const scene = new Scene();
  await scene.fails('REPLICA_UNAVAILABLE');
  await scene.fails('REPLICA_UNAVAILABLE');
  scene.renew = async () => undefined;
  await scene.renewsOnce();
  await scene.renewsOnce();
  expect(scene.calls.filter((call) => !call.startsWith('renew'))).toEqual([
    expect.stringMatching(/^warn: backup: the lease could not be renewed: /),
    'info: backup: the lease is renewed again',
  ]);
});

test('it is released after everything else, and a renewal that is interrupted then is no failure', async () => {
  const scene = new Scene();
  scene.renew = async (signal) => {
    await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));
    scene.calls.push('renewal ends');
    throw new ReplicationError('REPLICA_UNAVAILABLE', 'aborted');
  };
  await scene.renewsOnce();
  await scene.renewal.close(END);
  expect(scene.calls).toEqual(['renew at 7', 'renewal ends', 'release']);
});

test('while the client is closed, a renewal that is due is not tried again and again', async () => {
  const scene = new Scene({ isOpen: false });
  scene.renewInMs = 0;
  scene.renewal.start();
  scene.renewal.wake();
  await turn();
  const before = scene.reads;
  for (let round = 0; round < 20; round++) await sleep(1);
  expect(scene.reads).toBe(before);
  await scene.renewal.close(END);
  expect(scene.calls).toEqual([]); // and nothing is released
});

test('each write, copy and delete is asked, also through the client that reports all conflicts', async () => {
  const asked: string[] = [];
  const files = (name: string): ReplicaFiles =>
    ({
      writeFile: async (...given: unknown[]) => note(name, 'write', given[2]),
      deleteFiles: async (...given: unknown[]) => note(name, 'delete', given[1]),
      copyFile: async (...given: unknown[]) => note(name, 'copy', given[2]),
      objects: { name },
      encrypted: { name },
    }) as unknown as ReplicaFiles;
  const note = (name: string, what: string, options: unknown): void => {
    const { mayBegin, signal } = options as { mayBegin?: () => void; signal?: unknown };
    mayBegin?.();
    asked.push(`${name} ${what} ${String(signal)}`);
  };
  const mayBegin = (): void => void asked.push('asked');
  const bare = { client: files('settled'), unsettled: files('unsettled') } as never;
  const replica = guarded(bare, { lease: { mayBegin } } as unknown as Ownership);
  const options = { signal: 'signal' } as never;
  for (const client of [replica.client, replica.unsettled]) {
    await client?.writeFile({} as never, {} as never, options);
    await client?.copyFile?.({} as never, {} as never, options);
    await client?.deleteFiles([], options);
  }
  expect(asked).toEqual(
    ['settled', 'unsettled'].flatMap((name) =>
      ['write', 'copy', 'delete'].flatMap((what) => ['asked', `${name} ${what} signal`]),
    ),
  );
  expect(replica.client.objects).toEqual({ name: 'settled' });
  expect(replica.client.encrypted).toEqual({ name: 'settled' });
  expect(guarded(bare, undefined)).toBe(bare);
  expect(guarded(bare, { lease: undefined } as unknown as Ownership)).toBe(bare);
});
