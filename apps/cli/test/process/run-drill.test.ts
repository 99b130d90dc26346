/** The process of one drill, as the replicator starts it. */

import fs from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import type { DrillOrder } from '../../src/drilling/order.ts';
import { runDrill } from '../../src/drilling/run-drill.ts';
import { goldenBucket } from '../support/golden.ts';
import { temporaryFolder, writeFile } from '../support/temporary.ts';

interface Scene {
  readonly order: DrillOrder;
  readonly bucket: string;
  readonly warnings: string[];
  readonly run: (order: DrillOrder, signal?: AbortSignal) => ReturnType<typeof runDrill>;
}

function scene(settings: Partial<DrillOrder['settings']> = {}): Scene {
  const folder = temporaryFolder();
  const [database, bucket] = [path.join(folder, 'app.db'), goldenBucket()];
  const replica = { name: 'one', path: bucket };
  const text = JSON.stringify({ dbs: [{ path: database, replica }] });
  const scratch = path.join(folder, 'scratch');
  fs.mkdirSync(scratch);
  const warnings: string[] = [];
  return {
    bucket,
    warnings,
    order: {
      config: { file: writeFile(folder, 'sluice.yml', text), variables: 'expand' },
      database,
      name: 'one',
      target: `file://${bucket}`,
      settings: {
        everyMs: 1_000,
        at: 'latest',
        assertions: [],
        integrityCheck: 'quick',
        ...settings,
      },
      folder: scratch,
      keptFolder: path.join(folder, 'kept'),
    },
    run: async (order, signal = new AbortController().signal) => {
      const onWarning = (message: string): void => void warnings.push(message);
      return await runDrill(order, { environment: process.env, onWarning, signal });
    },
  };
}

test.each(['latest', 'random', '1s ago'])('the state %s is drilled and certified', async (at) => {
  const { order, bucket, warnings, run } = scene({ at });
  const answer = await run(order);
  expect([answer.certificateError, warnings]).toEqual([undefined, []]);
  expect(answer.report.problems).toEqual([]);
  const text = fs.readFileSync(path.join(bucket, 'sluice-drill.json'), 'utf8');
  expect(JSON.parse(text)).toMatchObject({ result: 'ok', txid: answer.report.txid });
});

test('a configuration that has changed since the start is an error that says so', async () => {
  const { order, bucket, run } = scene();
  const moved = run({ ...order, target: 'file:///elsewhere' });
  await expect(moved).rejects.toMatchObject({
    code: 'CONFIG_INVALID',
    message: expect.stringMatching(
      /sluice\.yml has changed and no longer has this destination \(file:\/\/\/elsewhere\): run "sluice reload"/,
    ) as string,
  });
  const config = { ...order.config, file: path.join(order.folder, 'none.yml') };
  await expect(run({ ...order, config })).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
  expect(fs.existsSync(path.join(bucket, 'sluice-drill.json'))).toBe(false);
});

test('an abort ends the process, and rejects with its reason', async () => {
  const endless =
    'WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT count(*) FROM n';
  const { order, run } = scene({ assertions: [endless] });
  const controller = new AbortController();
  const running = run(order, controller.signal);
  running.catch(() => undefined); // awaited below
  const restored = path.join(order.folder, 'restored.db');
  await expect.poll(() => fs.existsSync(restored)).toBe(true);
  controller.abort(new Error('the replicator ends'));
  await expect(running).rejects.toThrow('the replicator ends');
});

test('a backup without a lineage, as of Litestream, is not kept: all its drills are full ones', async () => {
  const { order, bucket, warnings, run } = scene({ keptBytesMax: 1024 ** 3 });
  expect((await run(order)).report).toMatchObject({ result: 'ok', kind: 'full' });
  expect(fs.existsSync(order.keptFolder)).toBe(false);
  const text = fs.readFileSync(path.join(bucket, 'sluice-drill.json'), 'utf8');
  expect(JSON.parse(text)).toMatchObject({ result: 'ok', kind: 'full' });
  expect(warnings).toEqual([]);
});
