/** What the command prints while a restore waits. */

import fs from 'node:fs';
import { expect, test } from 'vitest';
import type { Program } from '../check/program.ts';
import { newPlace, type Place } from './place.ts';

const LAST = 3;

async function stalledPlace(): Promise<Place & { readonly release: () => void }> {
  const place = await newPlace({ pages: 50, txids: LAST, changes: 3 });
  const { server, history } = place;
  history.put(9, 1, 1);
  for (let txid = 2; txid <= LAST; txid++) history.put(0, txid, txid);
  const snapshot = history.keyOf(9, 1, 1);
  const held = server.faults.add({ kind: 'hold-answer' }, { on: ({ key }) => key === snapshot });
  return { ...place, release: () => held.release() };
}

/** Resolves when something was written. */
async function progressOf({ child, ended }: Program): Promise<void> {
  await Promise.race([new Promise((resolve) => child.stderr?.once('data', resolve)), ended]);
}

test('with -json, events go to stderr, and stdout has the same object as ever', async () => {
  const { history, output, restore, release } = await stalledPlace();
  const program = restore('-json');
  await progressOf(program);
  release();
  const { code, stdout, stderr } = await program.ended;
  expect(code).toBe(0);
  expect(fs.readFileSync(output).equals(history.bytes(LAST))).toBe(true);
  const events = stderr.trimEnd().split('\n');
  expect(JSON.parse(events[0] ?? '')).toMatchObject({ event: 'progress' });
  expect(JSON.parse(stdout)).toMatchObject({ db_path: output, files_read: LAST, avoided: [] });
});

test('without a terminal, text is a line', async () => {
  const { restore, release } = await stalledPlace();
  const program = restore();
  await progressOf(program);
  release();
  const { code, stderr } = await program.ended;
  expect([code, stderr]).toEqual([0, expect.stringMatching(/^restoring: \d+ % of .*\/s.*\n$/)]);
});
