/** A client that breaks one promise, and the cases that must find it out: three at most. */

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
  /** All of them must fail, and none besides. */
  readonly group: readonly string[];
  readonly change?: Change;
  /** What `change` is applied to. Default: usual connections. */
  readonly changed?: Changed;
  readonly configuration?: Configuration;
  /** What the subject claims. Default: all. */
  readonly capabilities?: Capabilities;
  /** Default: bare. Core mends much of what a backend does wrong. */
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

/** A body whose chunks go through a generator of the saboteur's. */
export function through(
  body: ObjectBody,
  pass: (chunks: AsyncIterable<Uint8Array>) => AsyncIterable<Uint8Array>,
): ObjectBody {
  return { ...body, open: () => pass(body.open()) };
}

export async function* one<Item>(item: Item): AsyncGenerator<Item> {
  yield item;
}
