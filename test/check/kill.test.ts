/**
 * A check that is killed, at each step, beside a replica that is alive: what a reader finds there,
 * and what a restore gives, by Litestream too, is what it was.
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
  lookAt,
  objectsBelow,
  restoresAsExpected,
  sha256,
  SITE,
} from './live.ts';
import { startProgram, startSluice } from './program.ts';

const SUICIDE = fileURLToPath(new URL('suicide.main.ts', import.meta.url));
/** More steps than a check has: a loop that never ends by itself is found out. */
const STEPS_MAX = 100;

/** Kills a check of `folder` when it has done `step`, or lets it end where it has no more. */
async function killAt(folder: string, step: number): Promise<'killed' | 'ended'> {
  const { code, signal, stdout, stderr } = await startProgram(SUICIDE, folder, `${step}`).ended;
  if (signal === 'SIGKILL') return 'killed';
  expect([code, stderr]).toEqual([0, '']);
  expect(JSON.parse(stdout)).toEqual({ steps: step, left: [] });
  return 'ended';
}

test('a folder: at each step', async () => {
  const folder = path.join(temporaryFolder('check'), 'live');
  copyTo(folder);
  const live = await openFolder(folder);
  const before = await lookAt(live);
  const files = filesIn(folder);
  let steps = 0;
  while ((await killAt(folder, steps)) === 'killed') {
    expect(await lookAt(live), `step ${steps}`).toEqual(before);
    expect(filesIn(folder), `step ${steps}`).toEqual(files);
    steps += 1;
    expect(steps).toBeLessThan(STEPS_MAX);
  }
  expect(steps).toBeGreaterThan(25);
  await restoresAsExpected(live);
  const leftovers = fs.readdirSync(folder).filter((name) => name.startsWith(SITE));
  expect(leftovers.length).toBeGreaterThan(25); // they were there, and disturbed nobody
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

test('a bucket: when each answer is on its way', async () => {
  const { server, live, url } = await liveBucket();
  const before = await lookAt(live);
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
      continue; // an answer that refuses is not held; the next kill shows what it left
    }
    kills += 1;
    const others = server.raw.keys().filter((key) => !key.startsWith(`${ROOT}/${SITE}`));
    expect(new Map(others.map((key) => [key, server.raw.get(key)]))).toEqual(objects);
    expect(await lookAt(live)).toEqual(before);
  }
  expect(kills).toBeGreaterThan(25);
  expect(server.raw.keys().length).toBeGreaterThan(objects.size + 30);
  await restoresAsExpected(live);
});

describeWith(['litestream-0.5.18'], 'Litestream', () => {
  test('restores a folder beside what killed checks left', async () => {
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

  test('restores a bucket beside what killed checks left', async () => {
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
    expect(server.raw.keys().some((key) => key.startsWith(`${ROOT}/${SITE}`))).toBe(true);
    const output = path.join(temporaryFolder('check'), 'restored.db');
    const { endpoint, region, bucket, credentials } = server;
    const replica = `s3://${bucket}/${ROOT}?endpoint=${endpoint}&region=${region}`;
    // Not synchronously: this process is the server too.
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
