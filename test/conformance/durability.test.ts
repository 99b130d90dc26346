/** The kit's durability cases, which use several processes, find each backend that breaks one. */

import { runCase, CASES, type Setup, type Subject } from '@sluice/backend-test-kit';
import type { Backend } from '@sluice/core/backend';
import { expect, test } from 'vitest';

import { temporaryFolder } from '../support/temporary.ts';
import { backend as inPlace } from './durability/in-place.ts';
import { backend as late } from './durability/late.ts';
import { backend as memory } from './durability/memory.ts';
import { backend as restless } from './durability/restless.ts';
import { parseConfig } from '@sluice/core/backend';

const READS = 'durability/another-process-reads-it';
const KILL = 'durability/outlives-a-kill';
const HALF = 'durability/a-killed-write-leaves-what-was-there';
const END = 'durability/a-closed-destination-lets-the-process-end';

const SABOTEURS: readonly [string, Backend<unknown>, readonly string[]][] = [
  ['memory', memory, [READS, KILL, HALF]],
  ['late', late, [READS, KILL, HALF]],
  ['in-place', inPlace, [HALF]],
  ['restless', restless, [END]],
];

test.each(SABOTEURS)(
  'the durability cases find the faulty backend "%s"',
  async (name, backend, group) => {
    const subject = subjectOf(name, backend);
    const setup = await subject.open();
    const found: string[] = [];
    for (const each of CASES.filter(({ id }) => id.startsWith('durability/'))) {
      const { status } = await runCase(each, subject, setup, 'bare');
      if (status !== 'passed') found.push(each.id);
    }
    expect(found).toEqual(group);
  },
);

test('each durability case has a faulty backend that it finds', () => {
  const guarded = new Set(SABOTEURS.flatMap(([, , group]) => group));
  const ids = CASES.map(({ id }) => id).filter((id) => id.startsWith('durability/'));
  expect(ids.filter((id) => !guarded.has(id))).toEqual([]);
});

function subjectOf(name: string, backend: Backend<unknown>): Subject {
  const folder = temporaryFolder('durability');
  let paths = 0;
  const open = async (): Promise<Setup> => ({
    async connect(access) {
      const { config } = parseConfig(backend, { path: folder });
      return await backend.connect(config, { access, logger: console });
    },
    newPath: () => `${folder}/replica-${(paths += 1)}`,
    otherProcess: {
      module: new URL(`durability/${name}.ts`, import.meta.url).href,
      input: { path: folder },
    },
    stop: async () => undefined,
  });
  return {
    name,
    layout: 'tree',
    capabilities: {
      ranges: true,
      conditions: 'any-size',
      deleteMax: 1_000,
      sortedLists: true,
      folders: true,
    },
    hooks: ['otherProcess'],
    partSizeBytes: 100_000,
    secrets: [],
    open,
  };
}
