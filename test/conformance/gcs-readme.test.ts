/** The configuration and the roles in the README of @sluice/gcs. */

import { copyFile } from '../support/copy.ts';
import { Replica } from '@sluice/core/backend/testing';
import type { ReplicaClient } from '@sluice/core/backend';
import { readFileSync } from 'node:fs';

import { backend } from '@sluice/gcs';
import { parse as parseYAML } from 'yaml';
import { expect, onTestFinished, test } from 'vitest';
import { connectGCS } from '../servers/gcs-access.ts';
import { PART_BYTES } from '../servers/gcs-fixture.ts';
import { serviceAccount, start, type Role } from '../servers/gcs/index.ts';
import { rejectionOf } from '../servers/s3-fixture.ts';
import { bodyOf, list, pattern, read, ref } from './context.ts';
import { parseConfig } from '@sluice/core/backend';

const README = readFileSync(new URL('../../packages/gcs/README.md', import.meta.url), 'utf8');
const FILE = ref(0, 1);
const LARGE = pattern(PART_BYTES + 1, 1);

test('the configuration in the README is valid', () => {
  const [, yaml = ''] = /```yaml\n([^]*?)```/.exec(README) ?? [];
  const { dbs } = parseYAML(yaml) as { dbs: { replicas: unknown[] }[] };
  const { config, path } = parseConfig(backend, dbs[0]?.replicas[0]);
  expect([config.bucket, path]).toEqual(['my-app-backups', 'app.db']);
});

/** Connects to one bucket with several accounts, each with roles from the README. */
async function accountsOf(...roles: readonly Role[][]): Promise<ReplicaClient[]> {
  for (const role of roles.flat()) expect(README).toContain(role);
  const accounts = roles.map((each, index) => serviceAccount(`account-${index}`, each));
  const server = await start({ accounts: accounts.map(({ account }) => account) });
  const destinations = await Promise.all(
    accounts.map(({ credentials }) => connectGCS(server, { credentials, 'part-size': PART_BYTES })),
  );
  onTestFinished(async () => {
    await Promise.all(destinations.map((destination) => destination.close()));
    await server.stop();
  });
  return destinations;
}

const WHOLE: Role[] = ['roles/storage.objectUser'];

test('the role in the README allows replicating, restoring and deleting', async () => {
  const [destination] = await accountsOf(WHOLE);
  const replica = new Replica(destination!, 'app.db');
  await replica.writeFile(FILE, bodyOf(pattern(9, 1)), { condition: 'if-absent' });
  await replica.writeFile(FILE, bodyOf(pattern(9, 2)));
  await replica.writeFile(ref(9, 1), bodyOf(LARGE));
  await copyFile(replica, FILE, ref(0, 2));
  expect(await list(replica, 'all')).toHaveLength(3);
  expect(await read(replica, FILE)).toHaveLength(9);
  await replica.deleteFiles([FILE, ref(0, 2), ref(9, 1)]);
  expect(await list(replica, 'all')).toEqual([]);
});

test('the README names the scopes that are requested', async () => {
  const { account, credentials } = serviceAccount('replicator', WHOLE);
  const server = await start({ accounts: [account] });
  onTestFinished(() => server.stop());
  for (const access of ['read', 'write'] as const) {
    const destination = await connectGCS(server, { credentials }, { access });
    onTestFinished(() => destination.close());
    await list(new Replica(destination, 'app.db'), 'all');
  }
  const scopes = server.requests.map(({ headers }) => {
    const [, claims = ''] = headers.authorization?.split('.') ?? [];
    return JSON.parse(Buffer.from(claims, 'base64url').toString()) as { scope: string };
  });
  const names = scopes.map(({ scope }) => scope.replace(/.*\//, ''));
  expect(names).toEqual(['devstorage.read_only', 'devstorage.read_write']);
  for (const name of names) expect(README).toContain(name);
});

test('the role for restoring in the README allows only that', async () => {
  const [whole, restoring] = await accountsOf(WHOLE, ['roles/storage.objectViewer']);
  await new Replica(whole!, 'app.db').writeFile(FILE, bodyOf(pattern(9, 1)));
  const replica = new Replica(restoring!, 'app.db');
  expect(await list(replica, 'all')).toHaveLength(1);
  expect(await read(replica, FILE)).toHaveLength(9);
  await denied(replica.writeFile(ref(0, 2), bodyOf(pattern(9, 1))));
  await denied(replica.writeFile(ref(9, 1), bodyOf(LARGE)));
  await denied(replica.deleteFiles([FILE]));
});

test('the roles for an append-only replica in the README allow neither replacing nor deleting', async () => {
  const roles: Role[] = ['roles/storage.objectViewer', 'roles/storage.objectCreator'];
  const [growing] = await accountsOf(roles);
  const replica = new Replica(growing!, 'app.db');
  await replica.writeFile(FILE, bodyOf(pattern(9, 1)), { condition: 'if-absent' });
  await replica.writeFile(ref(9, 1), bodyOf(LARGE));
  await denied(replica.writeFile(FILE, bodyOf(pattern(9, 2))));
  await denied(replica.deleteFiles([FILE]));
  expect(await read(replica, FILE)).toEqual(Buffer.from(pattern(9, 1)));
});

test('a revoked key fails as unauthenticated, not as permission denied', async () => {
  const { account } = serviceAccount('replicator', WHOLE);
  const revoked = serviceAccount('replicator', WHOLE).credentials;
  const server = await start({ accounts: [account] });
  onTestFinished(() => server.stop());
  const destination = await connectGCS(server, { credentials: revoked });
  onTestFinished(() => destination.close());
  expect(await rejectionOf(list(new Replica(destination, 'app.db'), 'all'))).toMatchObject({
    code: 'REPLICA_UNAUTHENTICATED',
  });
});

async function denied(call: Promise<unknown>): Promise<void> {
  expect(await rejectionOf(call)).toMatchObject({ code: 'REPLICA_PERMISSION_DENIED' });
}
