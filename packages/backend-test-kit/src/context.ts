/** What a case is given: a connection, a replica of its own, and what the subject says of itself. */

import assert from 'node:assert/strict';

import {
  wrapDestination,
  type Destination,
  type NamedObjects,
  type ReplicaClient,
} from '@sluice/core/backend';

import { NotJudged } from './case.ts';
import { randomFrom, type Random } from './random.ts';
import type { Layer, Setup, Subject } from './subject.ts';

export interface CaseContext {
  readonly subject: Subject;
  readonly setup: Setup;
  readonly layer: Layer;
  readonly destination: Destination;
  readonly path: string;
  readonly replica: ReplicaClient;
  /** Named objects of the same path; to be asked for only where they are claimed. */
  readonly objects: NamedObjects;
  /** The seed that `random` began with. */
  readonly seed: number;
  readonly random: Random;
  /** One more connection, closed when the case is over. */
  readonly connect: (access?: 'read' | 'write') => Promise<Destination>;
  /** Wraps a destination that a hook gave, if this layer is the wrapped one. */
  readonly adopt: (destination: Destination) => Destination;
  /** Closes a connection now, and not once more when the case is over. */
  readonly close: (destination: Destination) => Promise<void>;
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
  const opened = new Set<Destination>();
  const adopt = (bare: Destination): Destination => {
    // One attempt: what is judged is the backend, and what it says at once.
    const destination = layer === 'bare' ? bare : wrapDestination(bare, { attemptsMax: 1 });
    opened.add(destination);
    return destination;
  };
  const connect = async (access: 'read' | 'write' = 'write'): Promise<Destination> =>
    adopt(await setup.connect(access));
  const close = async (destination: Destination): Promise<void> => {
    opened.delete(destination);
    await destination.close();
  };
  try {
    const destination = await connect();
    const path = setup.newPath();
    const replica = destination.replica(path);
    const place = { subject, setup, layer, destination, path, replica, connect, adopt, close };
    await run({
      ...place,
      seed,
      random: randomFrom(seed),
      saw,
      notJudged(why) {
        throw new NotJudged(why);
      },
      get objects(): NamedObjects {
        const objects = destination.objects?.(path);
        assert(objects !== undefined, 'named objects are claimed');
        return objects;
      },
    });
  } finally {
    await Promise.all([...opened].map((destination) => destination.close()));
  }
}

export function newSeed(): number {
  return Math.floor(Math.random() * 2 ** 31);
}
