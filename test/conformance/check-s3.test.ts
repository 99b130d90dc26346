/** `checkDestination` with our S3 server, also with the quirks of providers. */

import {
  checkDestination,
  checkFailure,
  type CheckOptions,
  type CheckReport,
  Destination,
} from '@sluice/core';

import type { Logger } from '@sluice/core/backend';
import { describe, expect, onTestFinished, test } from 'vitest';
import { rawKeys } from '../servers/s3-access.ts';
import { PART_BYTES, useS3 } from '../servers/s3-fixture.ts';
import type { Operation, Quirks, StartOptions } from '../servers/s3/index.ts';
import { startMinio } from '../servers/minio.ts';
import { startVersitygw } from '../servers/versitygw.ts';
import { describeWith } from '../support/require.ts';
import { checkPlace } from './check-place.ts';

const s3 = useS3();

type Verdicts = Record<string, string>;

const ALL_WORKS: Verdicts = {
  reach: 'works',
  write: 'works',
  list: 'works',
  read: 'works',
  ranges: 'works',
  large: 'works',
  abort: 'works',
  'if-absent': 'works',
  'if-absent-large': 'works',
  objects: 'works',
  'if-version': 'works',
  delete: 'works',
};
const NO_FENCE = {
  'if-absent': 'does not',
  'if-absent-large': 'does not',
  'if-version': 'does not',
};

async function check(
  more: Record<string, unknown> = {},
  options: Partial<CheckOptions> = {},
): Promise<CheckReport> {
  const destination = new Destination(await s3.connected(more), { random: () => 0 });
  const connect = async (logger: Logger): Promise<Destination> =>
    new Destination(await s3.connected(more, logger));
  const given = { destination, connect, path: 'db', partBytes: PART_BYTES, layout: LAYOUT };
  return await checkDestination({ ...given, ...options });
}

const LAYOUT = 'levels' as const;

function verdicts(report: CheckReport): Verdicts {
  return Object.fromEntries(report.features.map(({ feature, verdict }) => [feature, verdict]));
}

function seenOf(report: CheckReport, feature: string): string {
  return report.features.find((each) => each.feature === feature)?.seen ?? 'nothing';
}

test('a server without quirks passes; the check writes only to its own folder and leaves no files', async () => {
  const report = await check();
  expect(verdicts(report)).toEqual(ALL_WORKS);
  expect(report.left).toEqual([]);
  expect(s3.server.raw.keys()).toEqual([]);
  await s3.noUploadIsLeft();
  for (const { operation, key } of s3.server.requests.all()) {
    if (!['PutObject', 'CreateMultipartUpload', 'UploadPart', 'GetObject'].includes(operation))
      continue;
    expect(key).toMatch(
      /^db\/\.sluice-check-[0-9a-f]{12}\/(000[09]\/[0-9a-f]{16}-[0-9a-f]{16}\.ltx|lock\.json)$/,
    );
  }
});

test('the large file is uploaded in parts, and each conditional write is tried twice', async () => {
  const report = await check();
  const conditional = (operation: Operation): (number | undefined)[] =>
    s3.server.requests
      .of(operation)
      .filter(({ headers, key }) => headers['if-none-match'] === '*' && !key.endsWith('.json'))
      .map(({ status }) => status);
  expect(conditional('PutObject')).toEqual([200, 412]);
  expect(conditional('CompleteMultipartUpload')).toEqual([200, 412]);
  const [aborted = ''] = s3.server.requests.of('AbortMultipartUpload').map(({ key }) => key);
  expect(aborted.startsWith(report.path)).toBe(true);
  const whole = ({ key }: { key: string }): boolean => key !== aborted;
  expect(s3.server.requests.of('CreateMultipartUpload').filter(whole)).toHaveLength(3);
  const uploads = s3.server.requests.of('UploadPart').filter(whole);
  const parts = uploads.map(({ bodyBytes }) => bodyBytes);
  expect(parts.toSorted((a, b) => b - a)).toEqual([
    ...Array.from({ length: 4 }, () => PART_BYTES),
    PART_BYTES / 8,
    65_536,
    65_536,
  ]);
});

describe('providers', () => {
  test.each<[string, Quirks, Verdicts, string]>([
    [
      'ignores conditions',
      { ignoreConditions: true },
      NO_FENCE,
      'ignores conditional writes: fencing is off',
    ],
    [
      'answers 501 to conditions',
      { refuseConditions: true },
      NO_FENCE,
      'does not support conditional writes: fencing is off',
    ],
  ])('a server that %s is detected', async (_, quirks, expected, words) => {
    Object.assign(s3.server.quirks, quirks);
    const report = await check();
    expect(verdicts(report)).toEqual({ ...ALL_WORKS, ...expected });
    expect(seenOf(report, 'if-absent')).toContain(words);
    expect(seenOf(report, 'if-absent-large')).toContain(words);
    expect(checkFailure(report)).toBeUndefined();
    expect(s3.server.raw.keys()).toEqual([]);
    await s3.noUploadIsLeft();
  });

  test('a server that reports deletions it did not make is detected, and the files that stay are named', async () => {
    s3.server.quirks.deleteObjectsLies = true;
    const report = await check();
    expect(verdicts(report)).toEqual({ ...ALL_WORKS, delete: 'does not' });
    expect(report.left.toSorted()).toEqual(s3.server.raw.keys().toSorted());
  });

  test.each<[string, Quirks]>([
    ['refuses trailers', { refuseTrailers: true }],
    ['refuses checksums', { refuseChecksumHeaders: true }],
    ['does not support DeleteObjects', { refuseDeleteObjects: true }],
    ['requires parts of equal size', { equalPartSizes: true }],
  ])('a server that %s passes', async (_, quirks) => {
    Object.assign(s3.server.quirks, quirks);
    expect(verdicts(await check())).toEqual(ALL_WORKS);
  });

  test('a server that limits parallel parts is reported as rate limited', async () => {
    s3.server.quirks.partsAtOnceMax = 0;
    const report = await check();
    expect(checkFailure(report)).toMatchObject({ feature: 'large', code: 'REPLICA_RATE_LIMITED' });
  });
});

test('no conditions are sent to a host that is not known to support them', async () => {
  const destination = new Destination(await s3.connectedTo('s3.us-west-004.backblazeb2.com'));
  const report = await check({}, { destination, provider: 's3.us-west-004.backblazeb2.com' });
  const notJudged = { 'if-absent': 'not judged', 'if-absent-large': 'not judged' };
  expect(verdicts(report)).toEqual({ ...ALL_WORKS, ...notJudged, 'if-version': 'not judged' });
  expect(seenOf(report, 'if-absent')).toBe(
    's3.us-west-004.backblazeb2.com is not known to honor conditional writes: fencing is off',
  );
  const conditions = s3.server.requests.all().filter(({ headers }) => 'if-none-match' in headers);
  expect(conditions).toEqual([]);
});

test('an aborted upload that may not be removed is reported without failing the check', async () => {
  await s3.restart(restricted(['AbortMultipartUpload']));
  const report = await check();
  expect(verdicts(report)).toEqual({ ...ALL_WORKS, abort: 'does not' });
  expect(seenOf(report, 'abort')).toMatch(
    /parts of the upload could not be removed.*Access ?Denied/,
  );
  expect(checkFailure(report)).toBeUndefined();
  // One is the aborted upload, the other the conditional one that was refused at its end.
  expect(s3.server.raw.uploads()).toHaveLength(2);
});

describe('these errors are distinguished', () => {
  test('a missing bucket', async () => {
    s3.server.raw.removeBucket(s3.server.bucket);
    const report = await check();
    expect(checkFailure(report)).toMatchObject({
      feature: 'reach',
      code: 'REPLICA_DESTINATION_NOT_FOUND',
    });
    expect(seenOf(report, 'reach')).toMatch(/^the bucket or folder does not exist: .*NoSuchBucket/);
    expect(s3.server.requests.of('PutObject')).toEqual([]);
  });

  test('an unreachable server', async () => {
    await s3.server.stop();
    const report = await check();
    expect(checkFailure(report)).toMatchObject({ feature: 'reach', code: 'REPLICA_UNAVAILABLE' });
    expect(seenOf(report, 'reach')).toMatch(/^cannot be reached: .*ECONNREFUSED/);
    await s3.restart({});
  });

  test.each<[string, string, Operation[], Verdicts]>([
    ['list', 'list', ['ListObjectsV2'], { list: 'does not', delete: 'not judged' }],
    ['read', 'read', ['GetObject'], { read: 'does not' }],
    ['write', 'write', ['PutObject', 'CreateMultipartUpload'], { write: 'does not' }],
    ['delete', 'delete', ['DeleteObject', 'DeleteObjects'], { delete: 'does not' }],
  ])('a missing permission to %s', async (right, feature, denied, expected) => {
    await s3.restart(restricted(denied));
    const report = await check();
    expect(verdicts(report)).toMatchObject(expected);
    const missing = report.features.filter((each) => each.missing !== undefined);
    expect(missing.map((each) => [each.feature, each.missing])).toEqual([[feature, right]]);
    expect(missing[0]?.seen).toContain(`access is denied: the right to ${right} is missing`);
  });

  test('a wrong secret', async () => {
    const report = await check({ 'secret-access-key': 'not-the-secret' });
    expect(checkFailure(report)).toMatchObject({
      feature: 'reach',
      code: 'REPLICA_UNAUTHENTICATED',
    });
    expect(JSON.stringify(report)).not.toContain('not-the-secret');
  });
});

test('a destination that denies deletes passes, and the files that stay are named', async () => {
  await s3.restart(restricted(['DeleteObject', 'DeleteObjects']));
  const report = await check();
  expect(checkFailure(report)).toBeUndefined();
  expect(report.left.toSorted()).toEqual(s3.server.raw.keys().toSorted());
  const labels = report.left.map((key) => key.slice(report.path.length + 1));
  expect(seenOf(report, 'delete')).toContain(`left in ${report.path}: ${labels.join(', ')}`);
});

test('if one object cannot be deleted, only that one is named', async () => {
  const destination = new Destination(await s3.connected());
  const random = (count: number): Uint8Array => new Uint8Array(count).fill(0xab);
  const key = 'db/.sluice-check-abababababab/0000/0000000000000002-0000000000000002.ltx';
  s3.server.raw.protect(key);
  const given = { destination, path: 'db', partBytes: PART_BYTES, layout: LAYOUT, random } as const;
  const report = await checkDestination(given);
  expect(report.left).toEqual([key]);
  expect(s3.server.raw.keys()).toEqual([key]);
});

test('a lost response does not change a verdict', async () => {
  const isConditional = (request: {
    headers: Record<string, unknown>;
    operation: string;
  }): boolean => request.headers['if-none-match'] === '*';
  s3.server.faults.add({ kind: 'lose-answer' }, { on: isConditional, times: 2 });
  s3.server.faults.add({ kind: 'lose-answer' }, { on: 'DeleteObjects' });
  expect(verdicts(await check())).toEqual(ALL_WORKS);
});

function restricted(denied: readonly Operation[]): StartOptions {
  return {
    credentials: [{ accessKeyId: 'restricted', secretAccessKey: 'restrictedsecret', denied }],
  };
}

describe.each([
  ['MinIO', 'minio', startMinio],
  ['versitygw', 'versitygw', startVersitygw],
] as const)('%s', (name, tool, startServer) => {
  describeWith([tool], name, () => {
    test('passes, and no files stay', async () => {
      const place = await startServer();
      onTestFinished(() => place.stop());
      const report = await checkPlace(place);
      expect(verdicts(report)).toEqual(ALL_WORKS);
      expect(await rawKeys(place, '')).toEqual([]);
    });
  });
});
