/** `sluice check` as a process, against our S3 server. */

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

test('a server that ignores conditions is no failure, and is said with what to do', async () => {
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
])('a key without %s is told that it lacks it', async (action, denied, exit, feature) => {
  const { url } = await startServer({}, denied);
  const { code, features } = await featuresOf(url);
  expect(code).toBe(exit);
  const denials = features.filter(({ next }) => next?.includes('s3:') === true);
  expect(denials.map((each) => each.feature)).toEqual([feature]);
  const found = features.find((each) => each.feature === feature);
  expect(found).toMatchObject({ verdict: 'does not', missing: feature });
  expect(found?.next).toContain(`; it takes ${action} on `);
});

test('a key without s3:AbortMultipartUpload is told that its parts stay, and cost money', async () => {
  const { server, url } = await startServer({}, ['AbortMultipartUpload']);
  const { code, features } = await featuresOf(url);
  expect(code).toBe(0);
  const refused = features.filter(({ verdict }) => verdict === 'does not');
  expect(refused.map(({ feature }) => feature)).toEqual(['abort']);
  expect(refused[0]?.seen).toContain('its parts could not be removed and cost money');
  expect(refused[0]?.next).toContain('; it takes s3:AbortMultipartUpload on its objects');
  expect(server.raw.uploads()).toHaveLength(2);
});

test('no such bucket, and nobody there, end with 7 and in words of their own', async () => {
  const { server, url } = await startServer();
  server.raw.removeBucket(server.bucket);
  const gone = await featuresOf(url);
  expect(gone.code).toBe(7);
  expect(gone.features[0]?.seen).toContain('the bucket or folder does not exist');
  await server.stop();
  const away = await featuresOf(url);
  expect(away.code).toBe(7);
  expect(away.features[0]?.seen).toContain('cannot be reached');
});

test('a wrong secret ends with 6', async () => {
  const { url } = await startServer();
  const { code, features } = await featuresOf(url.replace(SECRET, 'another-secret-key'));
  expect(code).toBe(6);
  expect(features[0]).toMatchObject({ feature: 'reach', code: 'REPLICA_UNAUTHENTICATED' });
});

test('a check that is interrupted removes what it wrote, and ends with the signal’s number', async () => {
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
