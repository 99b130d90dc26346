/** The Azure backend without key and token: what @azure/identity finds lets it in. */

import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { startIdentity } from '../servers/azure-identity.ts';
import { startAzurite, type Azurite } from '../servers/azurite.ts';
import { describeWith } from '../support/require.ts';
import { temporaryFolder } from '../support/temporary.ts';

const HOST = fileURLToPath(new URL('../servers/azure-identity-host.ts', import.meta.url));
const run = promisify(execFile);

describeWith(['azurite'], 'azure, a managed identity', () => {
  let server: Azurite;
  beforeAll(async () => {
    server = await startAzurite();
  });
  afterAll(() => server.stop());

  async function seenBy(endpoint: string, environment: Record<string, string>): Promise<unknown> {
    // Only what a machine in the cloud has: no login of whoever runs the tests.
    const env = { PATH: process.env['PATH'] ?? '', ...environment };
    const { stdout } = await run(process.execPath, [HOST, endpoint, server.container], { env });
    return JSON.parse(stdout) as unknown;
  }

  test('writes, copies and reads with one token', async () => {
    const place = await startIdentity(server, temporaryFolder('azure-identity'));
    onTestFinished(() => place.stop());
    const seen = await seenBy(place.endpoint, place.environment);
    expect(seen).toEqual({ read: 'by identity', listed: 2 });
    expect(place.tokens).toBe(1);
  });

  test('that is not there is told as such, and what to check', async () => {
    const place = await startIdentity(server, temporaryFolder('azure-identity'));
    onTestFinished(() => place.stop());
    const { NODE_EXTRA_CA_CERTS = '' } = place.environment;
    // Not the machine's own identity service, where the tests run in a cloud.
    const environment = { NODE_EXTRA_CA_CERTS, AZURE_TOKEN_CREDENTIALS: 'EnvironmentCredential' };
    const seen = await seenBy(place.endpoint, environment);
    expect(seen).toMatchObject({ code: 'REPLICA_UNAUTHENTICATED' });
    expect(place.tokens).toBe(0);
  });
});
