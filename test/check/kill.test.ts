/**
 * A check that is killed at any step does not affect a live replica at its destination: listings and
 * restores are unchanged, also with Litestream.
 */

import { execFile } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { type OpenReplica, Destination } from '@sluice/core';
import { expect, onTestFinished, test } from 'vitest';
import { Litestream } from '../interop/litestream.ts';
import { connectS3, rawPut } from '../servers/s3-access.ts';
import { start, type RunningS3 } from '../servers/s3/index.ts';
import { openFolder } from '../support/replica.ts';
import { describeWith, needTool } from '../support/require.ts';
import { temporaryFolder } from '../support/temporary.ts';
import {
  copyTo,
  expectedSHA256,
  filesIn,
  readReplica,
  objectsBelow,
  expectRestore,
  sha256,
  CHECK_PREFIX,
} from './live.ts';
import { startProgram, startSluice } from './program.ts';

const KILLED_CHECK = fileURLToPath(new URL('killed-check.main.ts', import.meta.url));
/** More steps than a check has, to stop an endless loop. */
const STEPS_MAX = 100;

/** Kills a check of `folder` after `step`, or lets it finish if it has fewer steps. */
async function killAt(folder: string, step: number): Promise<'killed' | 'ended'> {
  const { code, signal, stdout, stderr } = await startProgram(KILLED_CHECK, folder, `${step}`)
    .ended;
  if (signal === 'SIGKILL') return 'killed';
  expect([code, stderr]).toEqual([0, '']);
  expect(JSON.parse(stdout)).toEqual({ steps: step, left: [] });
  return 'ended';
}

test('a check of a folder that is killed at any step leaves the replica unchanged', async () => {
  const folder = path.join(temporaryFolder('check'), 'live');
  copyTo(folder);
  const live = await openFolder(folder);
  const before = await readReplica(live);
  const files = filesIn(folder);
  let steps = 0;
  while ((await killAt(folder, steps)) === 'killed') {
    expect(await readReplica(live), `step ${steps}`).toEqual(before);
    expect(filesIn(folder), `step ${steps}`).toEqual(files);
    steps += 1;
    expect(steps).toBeLessThan(STEPS_MAX);
  }
  expect(steps).toBeGreaterThan(25);
  await expectRestore(live);
  const leftovers = fs.readdirSync(folder).filter((name) => name.startsWith(CHECK_PREFIX));
  expect(leftovers.length).toBeGreaterThan(25);
});

const ROOT = 'tenants/app';

async function liveBucket(): Promise<{ server: RunningS3; live: OpenReplica; url: string }> {
  const server = await start();
  onTestFinished(() => server.stop());
  for (const [key, bytes] of objectsBelow(ROOT)) await rawPut(server, key, bytes);
  const destination = new Destination(await connectS3(server));
  onTestFinished(() => destination.close());
  const { capabilities } = destination;
  const { accessKeyId, secretAccessKey } = server.credentials;
  const query = new URLSearchParams({
    endpoint: server.endpoint,
    region: server.region,
    'access-key-id': accessKeyId,
    'secret-access-key': secretAccessKey,
    'part-size': `${5 * 1024 * 1024}`,
  });
  return {
    server,
    live: { client: destination.replica(ROOT), capabilities },
    url: `s3://${server.bucket}/${ROOT}?${query.toString()}`,
  };
}

test('a check of a bucket that is killed before any response leaves the replica unchanged', async () => {
  const { server, live, url } = await liveBucket();
  const before = await readReplica(live);
  const objects = new Map(server.raw.keys().map((key) => [key, server.raw.get(key)]));
  let kills = 0;
  for (let request = 0; request < STEPS_MAX; request += 1) {
    const held = server.faults.add({ kind: 'hold-answer' }, { after: request });
    const { child, ended } = startSluice('check', url);
    const isOver = await Promise.race([ended, held.acted.then(() => undefined)]);
    child.kill('SIGKILL');
    await ended;
    held.remove();
    held.release();
    if (isOver !== undefined) {
      expect([isOver.code, isOver.stderr]).toEqual([0, '']);
      if (held.hits === 0) break;
      continue; // error responses are not held; the next kill checks the state after this one
    }
    kills += 1;
    const others = server.raw.keys().filter((key) => !key.startsWith(`${ROOT}/${CHECK_PREFIX}`));
    expect(new Map(others.map((key) => [key, server.raw.get(key)]))).toEqual(objects);
    expect(await readReplica(live)).toEqual(before);
  }
  expect(kills).toBeGreaterThan(25);
  expect(server.raw.keys().length).toBeGreaterThan(objects.size + 30);
  await expectRestore(live);
});

describeWith(['litestream-0.5.18'], 'Litestream', () => {
  test('restores a folder that contains files of killed checks', async () => {
    const folder = path.join(temporaryFolder('check'), 'live');
    copyTo(folder);
    for (const step of [5, 15, 25, 30]) expect(await killAt(folder, step)).toBe('killed');
    const left = fs.readdirSync(folder, { recursive: true }) as string[];
    expect(left.some((name) => name.endsWith('lock.json'))).toBe(true);
    const output = path.join(temporaryFolder('check'), 'restored.db');
    const litestream = new Litestream(needTool('litestream-0.5.18'), output, folder);
    expect(litestream.restore(output)).toBeUndefined();
    expect(sha256(output)).toBe(expectedSHA256());
  });

  test('restores a bucket that contains files of killed checks', async () => {
    const { server, url } = await liveBucket();
    const isOfLease = ({ key }: { key: string }): boolean => key.endsWith('/lock.json');
    const steps = ['GetObject', 'UploadPart', 'AbortMultipartUpload', isOfLease] as const;
    for (const on of [...steps, 'CompleteMultipartUpload'] as const) {
      const held = server.faults.add({ kind: 'hold-answer' }, { on });
      const { child, ended } = startSluice('check', url);
      await held.acted;
      child.kill('SIGKILL');
      await ended;
      server.faults.clear();
    }
    expect(server.raw.keys().some((key) => key.startsWith(`${ROOT}/${CHECK_PREFIX}`))).toBe(true);
    const output = path.join(temporaryFolder('check'), 'restored.db');
    const { endpoint, region, bucket, credentials } = server;
    const replica = `s3://${bucket}/${ROOT}?endpoint=${endpoint}&region=${region}`;
    // Asynchronously, because this process runs the server too.
    const run = promisify(execFile);
    await run(needTool('litestream-0.5.18'), ['restore', '-o', output, replica], {
      env: {
        AWS_ACCESS_KEY_ID: credentials.accessKeyId,
        AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
      },
    });
    expect(sha256(output)).toBe(expectedSHA256());
  });
});
