/** The context of a running case: a client, an unused replica path, and the subject under test. */

import { complete, Replica, withPolicies, type NamedObjects } from '@sluice/core/backend/testing';
import type { ReplicaClient } from '@sluice/core/backend';

import { NotTested } from './case.ts';
import { randomFrom, type Random } from './random.ts';
import type { Layer, Setup, Subject } from './subject.ts';

export interface CaseContext {
  readonly subject: Subject;
  readonly setup: Setup;
  readonly layer: Layer;
  /** The backend's client at this layer. */
  readonly client: ReplicaClient;
  readonly path: string;
  /** The LTX files at `path`. */
  readonly replica: Replica;
  /** The named objects at `path`. */
  readonly objects: NamedObjects;
  /** Seed of `random`. */
  readonly seed: number;
  readonly random: Random;
  /** Opens another client, which is closed when the case ends. */
  readonly connect: (access?: 'read' | 'write') => Promise<ReplicaClient>;
  /** Wraps a client from a hook in the same way as `client`. */
  readonly wrap: (client: ReplicaClient) => ReplicaClient;
  /** Closes a client before the case ends. */
  readonly close: (client: ReplicaClient) => Promise<void>;
  /** Adds a line to the details in the report. */
  readonly note: (text: string) => void;
  /** Ends the case with the status 'not tested'. */
  readonly notTested: (reason: string) => never;
}

export interface ContextOptions {
  readonly subject: Subject;
  readonly setup: Setup;
  readonly layer: Layer;
  /** Default: random. */
  readonly seed?: number | undefined;
  readonly note?: ((text: string) => void) | undefined;
}

/** Runs a case at an unused path, then closes the clients that it opened. */
export async function withContext(
  { subject, setup, layer, seed = newSeed(), note = () => undefined }: ContextOptions,
  run: (context: CaseContext) => Promise<void>,
): Promise<void> {
  const opened = new Set<ReplicaClient>();
  const wrap = (bare: ReplicaClient): ReplicaClient => {
    // A single attempt: retries would hide failures. Core adds unclaimed features at both layers.
    const client =
      layer === 'bare' ? complete(bare) : withPolicies(bare, { attemptsMax: 1 }).client;
    opened.add(client);
    return client;
  };
  const connect = async (access: 'read' | 'write' = 'write'): Promise<ReplicaClient> =>
    wrap(await setup.connect(access));
  const close = async (client: ReplicaClient): Promise<void> => {
    opened.delete(client);
    await client.close();
  };
  try {
    const client = await connect();
    const path = setup.newPath();
    const replica = new Replica(client, path);
    const { objects } = replica;
    await run({
      ...{ subject, setup, layer, client, path, replica, objects, connect, wrap, close },
      seed,
      random: randomFrom(seed),
      note,
      notTested(reason) {
        throw new NotTested(reason);
      },
    });
  } finally {
    await Promise.all([...opened].map((client) => client.close()));
  }
}

export function newSeed(): number {
  return Math.floor(Math.random() * 2 ** 31);
}
