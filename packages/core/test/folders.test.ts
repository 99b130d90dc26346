/** The map stays readable: no folder of very many files, no room that is most of the house. */

import fs from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';

const SRC = path.resolve('packages/core/src');
/** About 15; one more than that is no reason to move files. */
const FILES_MAX = 17;
const SHARE_MAX = 0.4;
/** Rebuilt as store/, replica/ and check/: then it goes from this list. */
const NOT_YET: readonly string[] = ['replica', 'config'];

function sourcesIn(folder: string): string[] {
  return fs
    .readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'));
}

function linesOf(file: string): number {
  return fs.readFileSync(file, 'utf8').split('\n').length;
}

test('a folder of core has at most about 15 files', () => {
  const counts = new Map<string, number>();
  for (const name of sourcesIn(SRC)) {
    const folder = path.dirname(name);
    if (NOT_YET.includes(folder)) continue;
    counts.set(folder, (counts.get(folder) ?? 0) + 1);
  }
  expect(counts.size).toBeGreaterThan(10);
  expect([...counts].filter(([, count]) => count > FILES_MAX)).toEqual([]);
});

test('no folder has more than 40 % of core', () => {
  const lines = new Map<string, number>();
  for (const name of sourcesIn(SRC)) {
    const room = name.split(path.sep)[0] ?? '';
    lines.set(room, (lines.get(room) ?? 0) + linesOf(path.join(SRC, name)));
  }
  const all = [...lines.values()].reduce((sum, count) => sum + count, 0);
  expect([...lines].filter(([, count]) => count / all > SHARE_MAX)).toEqual([]);
});
