/** What a case is given: a connection, a replica of its own, and what the subject says of itself. */

import { complete, Replica, withPolicies, type NamedObjects } from '@sluice/core/backend/testing';
import type { ReplicaClient } from '@sluice/core/backend';

import { NotJudged } from './case.ts';
import { randomFrom, type Random } from './random.ts';
import type { Layer, Setup, Subject } from './subject.ts';

export interface CaseContext {
  readonly subject: Subject;
  readonly setup: Setup;
  readonly layer: Layer;
  /** The backend's client, at this layer. */
  readonly client: ReplicaClient;
  readonly path: string;
  /** LTX files at the path, by level and TXIDs. */
  readonly replica: Replica;
  /** Named objects at the same path. */
  readonly objects: NamedObjects;
  /** The seed that `random` began with. */
  readonly seed: number;
  readonly random: Random;
  /** One more client, closed when the case is over. */
  readonly connect: (access?: 'read' | 'write') => Promise<ReplicaClient>;
  /** Wraps a client that a hook gave, as this layer does. */
  readonly adopt: (client: ReplicaClient) => ReplicaClient;
  /** Closes a client now, and not once more when the case is over. */
  readonly close: (client: ReplicaClient) => Promise<void>;
  /** Notes what was seen, for the report. */
  readonly saw: (what: string) => void;
  /** Ends the case: there is nothing to judge. */
  readonly notJudged: (why: string) => never;
}

export interface Trial {
  readonly subject: Subject;
  readonly setup: Setup;
  readonly layer: Layer;
  /** Default: another one each time. */
  readonly seed?: number | undefined;
  readonly saw?: ((what: string) => void) | undefined;
}

/** Runs a case at a path of its own, and closes what it opened. */
export async function withContext(
  { subject, setup, layer, seed = newSeed(), saw = () => undefined }: Trial,
  run: (context: CaseContext) => Promise<void>,
): Promise<void> {
  const opened = new Set<ReplicaClient>();
  const adopt = (bare: ReplicaClient): ReplicaClient => {
    // One attempt: the backend is judged, and its first answer. What it does not claim is core's at both layers.
    const client =
      layer === 'bare' ? complete(bare) : withPolicies(bare, { attemptsMax: 1 }).client;
    opened.add(client);
    return client;
  };
  const connect = async (access: 'read' | 'write' = 'write'): Promise<ReplicaClient> =>
    adopt(await setup.connect(access));
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
      ...{ subject, setup, layer, client, path, replica, objects, connect, adopt, close },
      seed,
      random: randomFrom(seed),
      saw,
      notJudged(why) {
        throw new NotJudged(why);
      },
    });
  } finally {
    await Promise.all([...opened].map((client) => client.close()));
  }
}

export function newSeed(): number {
  return Math.floor(Math.random() * 2 ** 31);
}
