/** A list of files that another program keeps beside a replica, and that does not name ours. */

import { Readable } from 'node:stream';
import { expect, test } from 'vitest';
import { ReplicationError } from '../../../src/error.ts';
import { MANIFEST_NAME, removeManifest } from '../../../src/replicate/ownership/manifest.ts';
import { bodyFromBytes } from '../../../src/store/body.ts';
import { memoryClient } from '../../../src/store/memory.ts';
import { Scene } from '../scene.ts';

const MANIFEST_KEY = `db/${MANIFEST_NAME}`;

test('a manifest is removed by the run that becomes the owner of a replica with files', async () => {
  const first = new Scene({ owner: { host: 'web1' } }).start();
  first.staged.image();
  expect(await first.drained()).toBe('complete');
  const { store, staged } = first;
  await first.uploader.close(new Error('it is off'));
  const client = memoryClient({ name: 's3', store });
  await client.put(MANIFEST_KEY, bodyFromBytes(Buffer.from('{"files":[]}')));
  await client.put('other/manifest.json', bodyFromBytes(Buffer.from('{}')));
  const second = new Scene({ store, staged, owner: { host: 'web1' } }).start();
  second.staged.commit();
  expect(await second.drained()).toBe('complete');
  expect(store.objects.has(MANIFEST_KEY)).toBe(false);
  expect(store.objects.has('other/manifest.json')).toBe(true);
  await second.expectRestored();
});

test('a manifest that may not be removed is named in a warning', async () => {
  const warnings: string[] = [];
  const denied = new ReplicationError('REPLICA_PERMISSION_DENIED', 'DELETE: 403');
  const logger = { debug() {}, info() {}, error() {}, warn: (text: string) => warnings.push(text) };
  const objects = {
    get: async () => ({
      body: Readable.from([Buffer.from('{}')]),
      sizeBytes: 2,
      modifiedAt: new Date(0),
    }),
    delete: async () => await Promise.reject(denied),
  };
  const signal = new AbortController().signal;
  await removeManifest(objects, { name: 's3', target: 's3://b', logger }, signal);
  expect(warnings).toEqual([
    expect.stringMatching(/manifest\.json .*cannot be removed: DELETE: 403; remove it/),
  ]);
});
