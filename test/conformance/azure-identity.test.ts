/** The Azure backend without key or token, with an identity from @azure/identity. */

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
    // The environment of a machine in the cloud, without any login of the user who runs the tests.
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

  test('that is missing fails with REPLICA_UNAUTHENTICATED', async () => {
    const place = await startIdentity(server, temporaryFolder('azure-identity'));
    onTestFinished(() => place.stop());
    const { NODE_EXTRA_CA_CERTS = '' } = place.environment;
    // If the tests run in a cloud, this keeps them from using the machine's own identity.
    const environment = { NODE_EXTRA_CA_CERTS, AZURE_TOKEN_CREDENTIALS: 'EnvironmentCredential' };
    const seen = await seenBy(place.endpoint, environment);
    expect(seen).toMatchObject({ code: 'REPLICA_UNAUTHENTICATED' });
    expect(place.tokens).toBe(0);
  });
});
