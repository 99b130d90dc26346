/** The requests of a lease on each server with conditions on versions: two replicators, and one owner object. */

import path from 'node:path';
import type { ReplicaClient } from '@sluice/core/backend';
import { Replica } from '@sluice/core/backend/testing';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Clock } from '../../packages/core/src/clock.ts';
import { systemFiles } from '../../packages/core/src/file-system.ts';
import { systemRandom } from '../../packages/core/src/random.ts';
import { OWNER_NAME } from '../../packages/core/src/replicate/ownership/owner.ts';
import { readOwner } from '../../packages/core/src/replicate/ownership/owner-object.ts';
import {
  ownershipsOf,
  type Ownership,
} from '../../packages/core/src/replicate/ownership/ownership.ts';
import { connectAzure } from '../servers/azure-access.ts';
import { startAzurite } from '../servers/azurite.ts';
import { startFakeGCS } from '../servers/fake-gcs.ts';
import { connectGCS } from '../servers/gcs-access.ts';
import { startMinio } from '../servers/minio.ts';
import { connectS3 } from '../servers/s3-access.ts';
import { startVersitygw } from '../servers/versitygw.ts';
import { describeWith } from '../support/require.ts';
import { temporaryFolder } from '../support/temporary.ts';

const TTL_MS = 30_000;

/** Only the test advances it. */
class StoppedClock implements Clock {
  #ms = 0;

  now(): number {
    return 1_700_000_000_000 + this.#ms;
  }

  monotonic(): number {
    return this.#ms;
  }

  advance(ms: number): void {
    this.#ms += ms;
  }
}

interface Server {
  stop(): Promise<void>;
}

interface Place {
  readonly client: ReplicaClient;
  /** Of the replica. */
  readonly root: string;
}

/** Called for each server that runs here. */
function describeLease<S extends Server>(
  server: Parameters<typeof describeWith>[0][number],
  start: () => Promise<S>,
  connect: (started: S) => Promise<ReplicaClient>,
): void {
  describeWith([server], `the lease, ${server}`, () => {
    let started: S;
    let tests = 0;
    beforeAll(async () => void (started = await start()));
    afterAll(async () => await started.stop());
    /** A new replica. */
    const place = async (): Promise<Place> => {
      tests += 1;
      return { client: await connect(started), root: `db-${tests}` };
    };

    test('one of two holds it, the other one waits, and follows a release', async () => {
      const at = await place();
      const [first, second] = [new Host('first', at), new Host('second', at)];
      const outcomes = await Promise.all([first.require(), second.require()]);
      expect(outcomes.toSorted()).toEqual(['REPLICA_IN_USE', 'owner']); // both created it at once
      const [holder, waiter] = outcomes[0] === 'owner' ? [first, second] : [second, first];
      expect(holder.ownership.lease?.isHeld).toBe(true);
      const before = await holder.owner();
      await holder.renew();
      const renewed = await holder.owner();
      expect(renewed.version).not.toBe(before.version);
      waiter.clock.advance(TTL_MS - 1);
      expect(await waiter.require()).toBe('REPLICA_IN_USE');
      await holder.ownership.releaseLease(holder.objects, AbortSignal.timeout(60_000));
      expect(await waiter.require()).toBe('owner');
      expect(await waiter.owner()).toMatchObject({ owner: { lease: { state: 'held' } } });
    });

    test('one that ended is taken over, and its holder cannot renew or release it', async () => {
      const at = await place();
      const [first, second] = [new Host('first', at), new Host('second', at)];
      expect(await first.require()).toBe('owner');
      expect(await second.require()).toBe('REPLICA_IN_USE');
      second.clock.advance(TTL_MS);
      expect(await second.require()).toBe('owner');
      const taken = await second.owner();
      await expect(first.renew()).rejects.toMatchObject({ code: 'REPLICA_IN_USE' });
      await first.ownership.releaseLease(first.objects, AbortSignal.timeout(60_000));
      expect(await second.owner()).toEqual(taken);
      await second.renew();
    });

    test('a write on condition of an old version, or of none, is refused', async () => {
      const { objects } = new Host('first', await place());
      const bytes = (text: string): Uint8Array => Buffer.from(text);
      const absent = { condition: 'if-absent' } as const;
      const { version: old = '' } = await objects.put(OWNER_NAME, bytes('1'), absent);
      const { version = '' } = await objects.put(OWNER_NAME, bytes('2'), {
        condition: { version: old },
      });
      expect(new Set([old, version, '']).size).toBe(3);
      for (const condition of ['if-absent', { version: old }] as const) {
        const stale = objects.put(OWNER_NAME, bytes('3'), { condition });
        await expect(stale).rejects.toMatchObject({ code: 'REPLICA_CONFLICT' });
      }
      await objects.put(OWNER_NAME, bytes('4'), { condition: { version } });
    });
  });
}

/** A replicator of a database of its own. */
class Host {
  readonly clock: StoppedClock = new StoppedClock();
  readonly objects: NonNullable<Replica['objects']>;
  readonly ownership: Ownership;
  readonly #client: ReplicaClient;

  constructor(host: string, { client, root }: Place) {
    this.#client = client;
    this.objects = new Replica(client, root).objects;
    const metaPath = temporaryFolder('lease');
    const ignore = (): void => undefined;
    const open = ownershipsOf({
      options: { path: path.join(metaPath, 'app.db'), metaPath },
      ...{ foreign: 'refuse', clock: this.clock, files: systemFiles, random: systemRandom },
      machine: { host, machine: undefined },
      logger: { debug: ignore, info: ignore, warn: ignore, error: ignore },
    });
    this.ownership = open({ name: 'backup', target: 'test', lease: { ttlMs: TTL_MS } });
  }

  /** 'owner', or the code of the error. */
  async require(): Promise<string> {
    const { capabilities } = this.#client;
    const listed = { chain: 'empty', highest: 0n, newestAt: undefined } as const;
    const signal = AbortSignal.timeout(60_000);
    try {
      await this.ownership.requireChange(this.objects, signal);
      await this.ownership.require({ objects: this.objects, capabilities, ...listed }, signal);
      return 'owner';
    } catch (error) {
      return (error as { readonly code: string }).code;
    }
  }

  async renew(): Promise<void> {
    await this.ownership.renewLease(this.objects, 1n, AbortSignal.timeout(60_000));
  }

  async owner(): Promise<Awaited<ReturnType<typeof readOwner>>> {
    return await readOwner(this.objects);
  }
}

describeLease('minio', startMinio, (server) => connectS3(server));
describeLease('versitygw', startVersitygw, (server) => connectS3(server));
describeLease('azurite', startAzurite, (server) => connectAzure(server));
describeLease('fake-gcs-server', startFakeGCS, (server) => connectGCS(server));
