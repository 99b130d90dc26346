/**
 * Files are merged into levels, once, and sent to every destination. Each level alone restores the database,
 * and a destination that was down gets merged files instead of many small ones.
 */

import fs from 'node:fs';
import path from 'node:path';
import { toLevels } from '@sluice/core';
import { expect, test } from 'vitest';
import { until } from '../support/wait.ts';
import { App, compare, expectAll } from './app.ts';
import { Sidecar, type SidecarArguments } from './sidecar.ts';

const LEVELS = toLevels([200, 1_000, 3_000]);

function merged(app: App, ...names: readonly string[]): SidecarArguments {
  return { ...app.replicatedTo(...names), options: { levels: LEVELS, syncIntervalMs: 20 } };
}

/** The files of a level, as TXIDs [first, last]. */
function filesOf(app: App, name: string, level: number): [bigint, bigint][] {
  const folder = path.join(app.bucket(name), 'ltx', String(level));
  if (!fs.existsSync(folder)) return [];
  const names = fs.readdirSync(folder).filter((name) => name.endsWith('.ltx'));
  return names.map((file) => {
    const [min = '', max = ''] = file.replace('.ltx', '').split('-');
    return [BigInt(`0x${min}`), BigInt(`0x${max}`)];
  });
}

function topOf(app: App, name: string, level: number): bigint {
  return filesOf(app, name, level).reduce((top, [, max]) => (max > top ? max : top), 0n);
}

/** TXIDs that a level lacks between its first and its last file. */
function holesIn(files: readonly [bigint, bigint][]): bigint[] {
  const sorted = [...files].sort(([a], [b]) => (a < b ? -1 : 1));
  let top = sorted[0]?.[0] ?? 0n;
  const holes: bigint[] = [];
  for (const [min, max] of sorted) {
    if (min > top + 1n && top !== sorted[0]?.[0]) holes.push(top + 1n);
    if (max > top) top = max;
  }
  return holes;
}

async function commitUntil(app: App, isDone: () => boolean): Promise<void> {
  await until('the commits are made', () => {
    app.add(3);
    app.change('changed');
    return isDone();
  });
}

test('a destination whose level-0 files are gone is restored from its levels, at each of their states', async () => {
  const app = new App();
  app.add(300);
  const sidecar = new Sidecar(merged(app, 'a', 'b'));
  await sidecar.settled();
  const states = new Map<bigint, Buffer>();
  for (let round = 0; round < 20; round++) {
    const end = Date.now() + 150; // several windows of level 1
    await commitUntil(app, () => Date.now() > end);
    states.set(await sidecar.settled(), app.bytes());
  }
  const last = await sidecar.settled();
  await until('everything is merged into every level', () =>
    ['a', 'b'].every((name) => [1, 2, 3].every((level) => topOf(app, name, level) >= last)),
  );
  for (const level of [1, 2, 3]) {
    expect(holesIn(filesOf(app, 'a', level)), `level ${level}`).toEqual([]);
    expect(filesOf(app, 'a', level)[0]?.[0], `level ${level}`).toBe(2n); // the first image is not merged
  }
  expect(filesOf(app, 'a', 3).length).toBeLessThan(filesOf(app, 'a', 1).length);
  expect((await sidecar.status()).compaction?.map(({ failures }) => failures)).toEqual([0, 0, 0]);
  await sidecar.stop();
  for (const name of ['a', 'b']) {
    fs.rmSync(path.join(app.bucket(name), 'ltx', '0'), { recursive: true });
    let compared = 0;
    for (const [txid, bytes] of states) {
      const isState = [1, 2, 3].some((level) =>
        filesOf(app, name, level).some(([, max]) => max === txid),
      );
      if (!isState) continue;
      compared += 1;
      expect(compare(await app.restored(name, txid), bytes), `TXID ${txid}`).toBe('equal');
    }
    expect(compared).toBeGreaterThan(0);
  }
  await expectAll(app, ['a', 'b']);
});

test('a destination that was down gets merged files, then the newest file of level 0, and its state after a kill', async () => {
  const app = new App();
  app.add(300);
  const sidecar = new Sidecar(merged(app, 'a', 'b'));
  await sidecar.settled();
  await sidecar.setFault('b', 'refusing');
  const before = filesOf(app, 'b', 0).length;
  await commitUntil(app, () => filesOf(app, 'a', 0).length > before + 90);
  const last = await sidecar.settled(['a']);
  const lacked = filesOf(app, 'a', 0).length - before;
  await until('level 2 has merged most of it', () => topOf(app, 'a', 2) > last - 60n);
  await sidecar.setFault('b', 'none');
  await sidecar.settled();
  const sent = filesOf(app, 'b', 0).length - before;
  expect(sent).toBeLessThan(lacked / 2);
  await until('the newest file of level 0 follows', () => topOf(app, 'b', 0) === last);
  await expectAll(app, ['a', 'b']);
  await sidecar.kill();
  const second = new Sidecar(merged(app, 'a', 'b'));
  expect((await second.beginning()).kind).toBe('resumed');
  app.add(5);
  await second.settled();
  await expectAll(app, ['a', 'b']);
  expect(second.messages.filter((message) => /full snapshot/.test(message))).toEqual([]);
});
