import { expect, test } from 'vitest';
import { AWS, OTHER, presetFor, PRESETS } from '../src/presets.ts';
import { regionOfEndpoint } from '../src/sdk.ts';

test('every row has a source', () => {
  for (const { name, source } of [...PRESETS, OTHER]) {
    expect(name).not.toBe('');
    expect(source).not.toBe('');
  }
});

test.each([
  [undefined, 'AWS'],
  ['https://s3.eu-west-1.amazonaws.com', 'AWS'],
  ['https://0123.r2.cloudflarestorage.com', 'Cloudflare R2'],
  ['https://fly.storage.tigris.dev', 'Tigris'],
  ['https://t3.storage.dev', 'Tigris'],
  ['https://s3.us-west-002.backblazeb2.com', 'Backblaze B2'],
  ['https://s3.nl-ams.scw.cloud', 'Scaleway'],
  ['https://fra1.digitaloceanspaces.com', 'DigitalOcean Spaces'],
  ['https://fsn1.your-objectstorage.com', 'Hetzner'],
  ['https://s3.filebase.com', 'Filebase'],
  ['https://project.storage.supabase.co/storage/v1/s3', 'Supabase'],
  ['https://ns.compat.objectstorage.eu-frankfurt-1.oraclecloud.com', 'Oracle Cloud'],
  ['https://storage.googleapis.com', 'Google Cloud Storage, XML'],
  ['https://s3.eu-central-1.wasabisys.com', 'another provider'],
  ['https://oss-cn-hangzhou.aliyuncs.com', 'Alibaba OSS'],
  ['http://127.0.0.1:9000', 'another provider'],
  ['https://amazonaws.com.example', 'another provider'],
  ['https://not-t3.storage.dev', 'another provider'],
])('%s is %s', (endpoint, name) => {
  expect(presetFor(endpoint).name).toBe(name);
});

test('AWS gets the checksum of its SDK, other providers the oldest one', () => {
  expect(AWS.deleteChecksum).toBe('crc32');
  expect(OTHER.deleteChecksum).toBe('md5');
});

test.each([
  ['https://s3.eu-west-1.amazonaws.com', 'eu-west-1'],
  ['https://s3-eu-west-1.amazonaws.com', 'eu-west-1'],
  ['https://s3.dualstack.us-gov-west-1.amazonaws.com', 'us-gov-west-1'],
  ['https://s3.cn-north-1.amazonaws.com.cn', 'cn-north-1'],
  ['https://s3.amazonaws.com', undefined],
  ['http://127.0.0.1:9000', undefined],
])('the endpoint %s is in %s', (endpoint, region) => {
  expect(regionOfEndpoint(endpoint)).toBe(region);
});
