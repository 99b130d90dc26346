/**
 * One suite for every backend: each case judges one promise of the contract, from outside. It runs
 * over the bare destination and over the wrapped one, as the engine uses it. Ids are stable.
 *
 * A case needs what its `needs` names: a capability, or a hook of the set-up. What is not there is
 * not judged, and said. A deviation names a case and a reason; such a case must fail.
 */

import assert from 'node:assert/strict';

import type { Capabilities, Destination, Layout } from '@sluice/core/backend';
import { afterAll, beforeAll, describe, test } from 'vitest';

import { abortCases } from './cases/abort.ts';
import { closeCases } from './cases/close.ts';
import { deleteCases } from './cases/delete.ts';
import { errorCases } from './cases/errors.ts';
import { ifAbsentCases } from './cases/if-absent.ts';
import { listCases } from './cases/list.ts';
import { objectCases } from './cases/objects.ts';
import { openCases } from './cases/open.ts';
import { writeCases } from './cases/write.ts';
import { withContext, type CaseContext, type Layer } from './context.ts';

/** What a set-up may offer beyond a connection. */
export interface Hooks {
  /** What lies there, seen from outside. Keys are whole: root and all. */
  readonly raw?: {
    put(key: string, bytes: Uint8Array): Promise<void>;
    keys(prefix: string): Promise<string[]>;
  };
  /** Takes the place of a replica away as a whole: the bucket, the disk. Returns what brings it back. */
  readonly vanish?: (path: string) => Promise<() => Promise<void>>;
  /** A connection whose credentials may do nothing. */
  readonly denied?: () => Promise<Destination>;
  /** A connection to where nobody answers. */
  readonly unreachable?: () => Promise<Destination>;
  /** Files and sockets that this process holds open. */
  readonly handles?: () => Promise<number>;
}

export interface Setup extends Hooks {
  connect(access: 'read' | 'write'): Promise<Destination>;
  /** A path where nothing was ever written; another one each time. */
  newPath(): string;
  stop(): Promise<void>;
}

export interface Conformance {
  readonly name: string;
  readonly layout: Layout;
  readonly capabilities: Capabilities;
  readonly objects: 'claimed' | 'not-claimed';
  readonly hooks: readonly (keyof Hooks)[];
  /** Where the backend begins to send a body in parts; sizes around it are tried. */
  readonly partSizeBytes: number;
  /** What must not be read in any message. */
  readonly secrets: readonly string[];
  readonly deviations?: Readonly<Record<string, string>>;
  /** Default: both. */
  readonly layers?: readonly Layer[];
  open(): Promise<Setup>;
}

export type Need = 'ranges' | 'ifAbsent' | 'objects' | 'objectsIfAbsent' | keyof Hooks;

export interface Case {
  readonly id: string;
  readonly needs?: readonly Need[];
  readonly run: (context: CaseContext) => Promise<void>;
}

export const CASES: readonly Case[] = [
  ...listCases,
  ...openCases,
  ...writeCases,
  ...ifAbsentCases,
  ...abortCases,
  ...deleteCases,
  ...errorCases,
  ...closeCases,
  ...objectCases,
];

export function describeConformance(conformance: Conformance): void {
  const { deviations = {}, name } = conformance;
  for (const layer of conformance.layers ?? (['bare', 'wrapped'] as const)) {
    describe(`${name}, ${layer}`, () => {
      let setup: Setup;
      beforeAll(async () => {
        setup = await conformance.open();
      });
      afterAll(() => setup.stop());

      for (const { id, run } of CASES.filter((each) => isJudged(each, conformance, layer))) {
        const reason = deviations[id];
        if (reason === undefined) {
          test(id, () => withContext(conformance, setup, layer, run));
        } else {
          test(`${id} does not hold: ${reason}`, () =>
            assert.rejects(withContext(conformance, setup, layer, run)));
        }
      }
    });
  }
  test(`${name}: what is not judged is known`, ({ annotate }) => {
    const others = CASES.filter((each) => !isJudged(each, conformance, 'wrapped'));
    const known = new Set(CASES.map(({ id }) => id));
    assert.deepEqual(
      Object.keys(deviations).filter((id) => !known.has(id)),
      [],
    );
    return annotate(`not judged: ${others.map(({ id }) => id).join(', ') || 'nothing'}`);
  });
}

/** Core emulates ranges; everything else that is not claimed is not there. */
function isJudged(each: Case, conformance: Conformance, layer: Layer): boolean {
  const { capabilities, hooks, objects } = conformance;
  return (each.needs ?? []).every((need) => {
    switch (need) {
      case 'ranges':
        return capabilities.ranges === true || layer === 'wrapped';
      case 'ifAbsent':
        return capabilities.ifAbsent !== undefined;
      case 'objects':
        return objects === 'claimed';
      case 'objectsIfAbsent':
        return objects === 'claimed' && capabilities.ifAbsent !== undefined;
      case 'raw':
      case 'vanish':
      case 'denied':
      case 'unreachable':
      case 'handles':
        return hooks.includes(need);
    }
  });
}
