/** Without a key or token, @azure/identity finds credentials, if it is installed. */

import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { Logger, ReplicaClient } from '@sluice/core/backend';
import { backend } from '../src/index.ts';
import { parseConfig } from '@sluice/core/backend';

const silent = (): void => undefined;
const logger: Logger = { debug: silent, info: silent, warn: silent, error: silent };

async function connect(more: Record<string, unknown> = {}): Promise<ReplicaClient> {
  const { config } = parseConfig(backend, {
    bucket: 'backups',
    'account-name': 'account',
    ...more,
  });
  return await backend.connect(config, { logger, access: 'read' });
}

beforeEach(() => {
  vi.resetModules();
});
afterEach(() => {
  vi.doUnmock('@azure/identity');
});

function uninstall(): void {
  vi.doMock('@azure/identity', () => {
    throw new Error("Cannot find package '@azure/identity'");
  });
}

test('connecting sends nothing', async () => {
  const destination = await connect();
  expect(destination.name).toBe('abs://backups');
  await destination.close();
});

test('if it is missing, one error says what to install', async () => {
  uninstall();
  await expect(connect()).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
  await expect(connect()).rejects.toThrow(/npm install @azure\/identity$/);
});

test('a key or a token works without it', async () => {
  uninstall();
  for (const more of [
    { 'account-key': 'a2V5' },
    { 'sas-token': 'sig=c2ln' },
    { 'sas-token-path': '/run/sas' },
  ]) {
    await (await connect(more)).close();
  }
});
