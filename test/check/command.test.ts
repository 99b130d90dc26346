/** `sluice check` as a process, with our S3 server. */

import { expect, onTestFinished, test } from 'vitest';
import { start, type Operation, type RunningS3, type StartOptions } from '../servers/s3/index.ts';
import { sluice, startSluice } from './program.ts';

const SECRET = 'a-very-secret-key';

async function startServer(
  options: StartOptions = {},
  denied: readonly Operation[] = [],
): Promise<{ server: RunningS3; url: string }> {
  const credentials = [{ accessKeyId: 'checker', secretAccessKey: SECRET, denied }];
  const server = await start({ credentials, ...options });
  onTestFinished(() => server.stop());
  const query = new URLSearchParams({
    endpoint: server.endpoint,
    region: server.region,
    'access-key-id': 'checker',
    'secret-access-key': SECRET,
    'part-size': `${5 * 1024 * 1024}`,
  });
  return { server, url: `s3://${server.bucket}/app?${query.toString()}` };
}

interface Feature {
  readonly feature: string;
  readonly verdict: string;
  readonly seen: string;
  readonly next?: string;
}

async function featuresOf(url: string): Promise<{ code: number | null; features: Feature[] }> {
  const { code, stdout } = await sluice('check', '-json', url);
  expect(stdout).not.toContain(SECRET);
  return { code, features: (JSON.parse(stdout) as [{ features: Feature[] }])[0].features };
}

test('a server that ignores conditions passes with exit code 0, and the output names the next step', async () => {
  const { server, url } = await startServer({ quirks: { ignoreConditions: true } });
  const { code, stdout, stderr } = await sluice('check', url);
  expect([code, stderr]).toEqual([0, '']);
  expect(stdout).toMatch(
    /if-absent +does not +this server ignores conditional writes: fencing is off\n +next: .*only one replicator/,
  );
  expect(stdout).not.toContain(SECRET);
  expect(stdout).toMatch(/if-version +does not +this server ignores conditions on versions/);
  expect(server.raw.keys()).toEqual([]);
});

test.each<[string, Operation[], number, string]>([
  ['s3:ListBucket', ['ListObjectsV2'], 6, 'list'],
  ['s3:GetObject', ['GetObject'], 6, 'read'],
  ['s3:PutObject', ['PutObject'], 6, 'write'],
  ['s3:DeleteObject', ['DeleteObjects', 'DeleteObject'], 0, 'delete'],
])('a missing permission %s is named', async (action, denied, exit, feature) => {
  const { url } = await startServer({}, denied);
  const { code, features } = await featuresOf(url);
  expect(code).toBe(exit);
  const denials = features.filter(({ next }) => next?.includes('s3:') === true);
  expect(denials.map((each) => each.feature)).toEqual([feature]);
  const found = features.find((each) => each.feature === feature);
  expect(found).toMatchObject({ verdict: 'does not', missing: feature });
  expect(found?.next).toContain(`; it takes ${action} on `);
});

test('without s3:AbortMultipartUpload the check warns that parts stay and cost money', async () => {
  const { server, url } = await startServer({}, ['AbortMultipartUpload']);
  const { code, features } = await featuresOf(url);
  expect(code).toBe(0);
  const refused = features.filter(({ verdict }) => verdict === 'does not');
  expect(refused.map(({ feature }) => feature)).toEqual(['abort']);
  expect(refused[0]?.seen).toContain(
    'the parts of the upload could not be removed, and cost money',
  );
  expect(refused[0]?.next).toContain('; it takes s3:AbortMultipartUpload on its objects');
  expect(server.raw.uploads()).toHaveLength(2);
});

test('a missing bucket and an unreachable server exit with 7, with different messages', async () => {
  const { server, url } = await startServer();
  server.raw.removeBucket(server.bucket);
  const missing = await featuresOf(url);
  expect(missing.code).toBe(7);
  expect(missing.features[0]?.seen).toContain('the bucket or folder does not exist');
  await server.stop();
  const unreachable = await featuresOf(url);
  expect(unreachable.code).toBe(7);
  expect(unreachable.features[0]?.seen).toContain('cannot be reached');
});

test('a wrong secret exits with 6', async () => {
  const { url } = await startServer();
  const { code, features } = await featuresOf(url.replace(SECRET, 'another-secret-key'));
  expect(code).toBe(6);
  expect(features[0]).toMatchObject({ feature: 'reach', code: 'REPLICA_UNAUTHENTICATED' });
});

test('an interrupted check removes its files and exits with 128 plus the signal', async () => {
  const { server, url } = await startServer();
  const held = server.faults.add({ kind: 'hold-request' }, { on: 'UploadPart' });
  const { child, ended } = startSluice('check', url);
  await held.acted;
  expect(server.raw.keys().length).toBeGreaterThan(0);
  child.kill('SIGINT');
  const { code, stdout, stderr } = await ended;
  expect([code, stderr]).toEqual([130, 'sluice: stopped by SIGINT\n']);
  expect(stdout).toMatch(/delete +works/);
  expect(server.raw.keys()).toEqual([]);
  expect(server.raw.uploads()).toEqual([]);
});
