/** The SDK's client: where requests go, and who we say we are. */

import type { Storage } from '@google-cloud/storage';
import type { ConnectContext } from '@sluice/core/backend';
import type { GoogleAuthOptions } from 'google-auth-library';
import type { GCSConfig, ServiceAccountKey } from './config.ts';

/** Reading and writing objects is all that a replica needs; nothing of the project or of ACLs. */
const SCOPES: Readonly<Record<ConnectContext['access'], string>> = {
  read: 'https://www.googleapis.com/auth/devstorage.read_only',
  write: 'https://www.googleapis.com/auth/devstorage.read_write',
};

/** Loads the SDK, when the first destination connects: it takes longer than all else at a start. */
export async function makeStorage(
  config: GCSConfig,
  access: ConnectContext['access'],
): Promise<Storage> {
  const [{ Storage }, library] = await Promise.all([
    import('@google-cloud/storage'),
    import('google-auth-library'),
  ]);
  const apiEndpoint = config.endpoint ?? emulator();
  const authClient = new library.GoogleAuth(authOf(config, apiEndpoint, SCOPES[access], library));
  return new Storage({
    authClient,
    retryOptions: { autoRetry: false }, // core retries, once for all backends
    ...(apiEndpoint !== undefined && { apiEndpoint }),
  });
}

/** What the SDK itself reads; it may lack the scheme, as Google's other SDKs have it. */
function emulator(): string | undefined {
  const host = process.env['STORAGE_EMULATOR_HOST'];
  if (host === undefined || host === '') return undefined;
  return (/^https?:\/\//.test(host) ? host : `http://${host}`).replace(/\/+$/, '');
}

function authOf(
  { credentials }: GCSConfig,
  endpoint: string | undefined,
  scopes: string,
  { JWT, PassThroughClient }: typeof import('google-auth-library'),
): GoogleAuthOptions {
  if (credentials !== undefined) {
    const key = JSON.parse(credentials.reveal()) as ServiceAccountKey;
    const client = new JWT({
      email: String(key.client_email),
      key: String(key.private_key),
      ...(typeof key.private_key_id === 'string' && { keyId: key.private_key_id }),
      scopes,
    });
    // The key itself signs each request: nobody has to be asked for a token.
    client.useJWTAccessWithScope = true;
    return { authClient: client };
  }
  // An emulator wants no credentials, and must not be told any.
  if (endpoint?.startsWith('http:') === true) return { authClient: new PassThroughClient() };
  return { scopes };
}
