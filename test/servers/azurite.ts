/** Azurite, if it is installed (test/support/require.ts): one account and one container, in memory. */

import { needTool } from '../support/require.ts';
import { accountToken, makeContainer, type AzurePlace } from './azure-access.ts';
import { startProcess } from './process.ts';

export interface Azurite extends AzurePlace {
  stop(): Promise<void>;
}

const ACCOUNT = 'sluicetest';
/** Key of this emulator only. */
const ACCOUNT_KEY = Buffer.from('the key of the account of the tests').toString('base64');

export async function startAzurite(): Promise<Azurite> {
  const token = accountToken({ account: ACCOUNT, accountKey: ACCOUNT_KEY });
  const { port, stop } = await startProcess({
    name: 'azurite',
    binary: needTool('azurite'),
    arguments: (port) => [
      ...['--blobHost', '127.0.0.1', '--blobPort', String(port), '--inMemoryPersistence'],
      // The SDK uses newer protocol versions than Azurite supports.
      ...['--skipApiVersionCheck', '--disableTelemetry', '--silent'],
    ],
    environment: { AZURITE_ACCOUNTS: `${ACCOUNT}:${ACCOUNT_KEY}` },
    healthPath: `/${ACCOUNT}?comp=list&${token}`, // requests without a token fail
  });
  const place: AzurePlace = {
    endpoint: `http://127.0.0.1:${port}/${ACCOUNT}`,
    container: 'backups',
    account: ACCOUNT,
    accountKey: ACCOUNT_KEY,
  };
  await makeContainer(place);
  return { ...place, stop };
}
