/** Requests for each row of the provider table, as a server under the provider's name receives them. */

import { isError, type ObjectBody } from '@sluice/core/backend';
import { Replica } from '@sluice/core/backend/testing';
import { describe, expect, test } from 'vitest';
import { OTHER, presetFor, PRESETS, type Preset } from '../../packages/s3/src/presets.ts';
import { only, PART_BYTES, rejectionOf, useS3 } from '../servers/s3-fixture.ts';
import { bodyOf, CREATED_AT, pattern, read, ref } from './context.ts';

const s3 = useS3();
const FILE = ref(0, 1);

/** A host name of each provider. */
const HOSTS: Readonly<Record<string, string>> = {
  'another provider': 's3.eu-central-1.wasabisys.com',
  AWS: 's3.us-east-1.amazonaws.com',
  'Cloudflare R2': 'account.r2.cloudflarestorage.com',
  Tigris: 't3.storage.dev',
  'Backblaze B2': 's3.us-west-002.backblazeb2.com',
  Scaleway: 's3.nl-ams.scw.cloud',
  'DigitalOcean Spaces': 'fra1.digitaloceanspaces.com',
  Hetzner: 'fsn1.your-objectstorage.com',
  Filebase: 's3.filebase.com',
  Supabase: 'project.storage.supabase.co',
  'Oracle Cloud': 'ns.compat.objectstorage.eu-frankfurt-1.oraclecloud.com',
  'Google Cloud Storage, XML': 'storage.googleapis.com',
  'Alibaba OSS': 'oss-cn-hangzhou.aliyuncs.com',
};

function connectedTo({ name }: Preset) {
  return s3.connectedTo(HOSTS[name] ?? 'missing in HOSTS', {
    'force-path-style': true,
    region: s3.server.region,
  });
}

describe.each([OTHER, ...PRESETS])('$name', (preset) => {
  test('is found by its host name', () => {
    expect(presetFor(`https://${HOSTS[preset.name]}`)).toBe(preset);
  });

  test('gets its headers and its checksum, and no unsupported headers', async () => {
    s3.server.quirks.refuseDeleteMD5 = preset.deleteChecksum === 'none';
    const replica = new Replica(await connectedTo(preset), 'db');
    await replica.writeFile(FILE, bodyOf(pattern(70_000, 1)));
    await read(replica, FILE);
    await Array.fromAsync(replica.listFiles('all'));
    await replica.deleteFiles([FILE, ref(0, 2)]);
    for (const { headers } of s3.server.requests.all()) {
      expect(headers).toMatchObject(preset.headers);
      expect(headers['transfer-encoding']).toBeUndefined();
      expect(headers['content-encoding']).toBeUndefined();
      expect(headers['x-amz-content-sha256']).toMatch(/^[0-9a-f]{64}$/); // signed
    }
    expect(only(s3.server, 'PutObject').headers['content-length']).toBe('70000');
    const { headers } = only(s3.server, 'DeleteObjects');
    const sent = ['content-md5', 'x-amz-checksum-crc32'].filter((name) => name in headers);
    const expected = { md5: ['content-md5'], crc32: ['x-amz-checksum-crc32'] };
    const none: string[] = [];
    expect(sent).toEqual({ ...expected, none }[preset.deleteChecksum]);
  });

  test('has conditional writes only if it supports them', async () => {
    const { capabilities } = await connectedTo(preset);
    const isHonoured = preset.hasConditions;
    expect(capabilities.conditions).toBe(isHonoured ? 'any-size' : undefined);
  });

  test('gets parts of equal size, limited to its number of parallel parts', async () => {
    const replica = new Replica(await connectedTo(preset), 'db');
    const held = s3.server.faults.add({ kind: 'hold-request' }, { on: 'UploadPart', times: 99 });
    const bytes = pattern(6 * PART_BYTES + 10, 1);
    const writing = replica.writeFile(FILE, bodyOf(bytes));
    const parts = () => s3.server.requests.of('UploadPart');
    await s3.server.requests.until(() => parts().length >= preset.partsAtOnce);
    expect(parts()).toHaveLength(preset.partsAtOnce);
    held.release();
    await writing;
    const sizes = parts().map(({ headers }) => Number(headers['content-length']));
    expect(sizes.toSorted((a, b) => b - a)).toEqual([...Array(6).fill(PART_BYTES), 10]);
  });

  test('gets larger parts if a file would exceed its maximum number of parts', async () => {
    const replica = new Replica(await connectedTo(preset), 'db');
    const held = s3.server.faults.add({ kind: 'hold-request' }, { on: 'UploadPart', times: 99 });
    const controller = new AbortController();
    const { signal } = controller;
    const sizeBytes = preset.partsMax * PART_BYTES + 1;
    const writing = rejectionOf(replica.writeFile(FILE, zeros(sizeBytes), { signal }));
    await held.acted;
    const [first] = s3.server.requests.of('UploadPart');
    const partBytes = Number(first?.headers['content-length']);
    expect(partBytes).toBeGreaterThan(PART_BYTES);
    expect(Math.ceil(sizeBytes / partBytes)).toBeLessThanOrEqual(preset.partsMax);
    controller.abort(new Error('aborted by the test'));
    held.release();
    expect(isError(await writing)).toBe(false);
  });
});

/** A body of zeros. Only its beginning is ever read. */
function zeros(sizeBytes: number): ObjectBody {
  const chunk = new Uint8Array(65_536);
  return {
    sizeBytes,
    createdAt: CREATED_AT,
    async *open() {
      for (let left = sizeBytes; left > 0; left -= chunk.byteLength) {
        yield chunk.subarray(0, left);
      }
    },
  };
}
