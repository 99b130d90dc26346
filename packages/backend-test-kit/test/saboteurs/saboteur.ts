/** A backend that breaks one promise, and the cases (at most three) that must detect it. */

import type { Capabilities, ObjectBody } from '@sluice/core/backend';
import type { Configuration, Layer } from '../../src/index.ts';
import {
  changeFiles,
  changeObjects,
  type Change,
  type Changed,
  type World,
  type Files,
  type Objects,
} from '../world.ts';

export interface Saboteur {
  readonly does: string;
  /** IDs of the cases that must fail. All other cases must pass. */
  readonly group: readonly string[];
  readonly change?: Change;
  /** The clients that `change` is applied to. Default: usual clients. */
  readonly changed?: Changed;
  readonly configuration?: Configuration;
  /** Claimed capabilities. Default: all. */
  readonly capabilities?: Capabilities;
  /** Default: bare, because core corrects many errors of a backend. */
  readonly layer?: Layer;
}

export function inFiles(
  does: string,
  group: readonly string[],
  change: (files: Files, world: World, path: string) => Partial<Files>,
): Saboteur {
  return {
    does,
    group,
    change: (client, world) => changeFiles(client, (files, path) => change(files, world, path)),
  };
}

export function inObjects(
  does: string,
  group: readonly string[],
  change: (objects: Objects, world: World, path: string) => Partial<Objects>,
): Saboteur {
  return {
    does,
    group,
    change: (client, world) =>
      changeObjects(client, (objects, path) => change(objects, world, path)),
  };
}

/** A body whose chunks are changed by a generator. */
export function through(
  body: ObjectBody,
  pass: (chunks: AsyncIterable<Uint8Array>) => AsyncIterable<Uint8Array>,
): ObjectBody {
  return { ...body, open: () => pass(body.open()) };
}

export async function* one<Item>(item: Item): AsyncGenerator<Item> {
  yield item;
}
