/** Connects to a container of a test server, as a destination or with the vendor's SDK. */

import {
  AccountSASPermissions,
  AccountSASResourceTypes,
  AccountSASServices,
  ContainerClient,
  generateAccountSASQueryParameters,
  StorageSharedKeyCredential,
} from '@azure/storage-blob';
import { backend } from '@sluice/azure';
import type { ConnectContext, Logger } from '@sluice/core/backend';
import { complete } from '@sluice/core/backend/testing';
import { parseConfig, type ReplicaClient } from '@sluice/core/backend';

export interface AzurePlace {
  /** Endpoint of the account: "http://127.0.0.1:port/account" */
  readonly endpoint: string;
  readonly container: string;
  readonly account: string;
  readonly accountKey: string;
}

const SILENT: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};

const HOUR_MS = 3_600_000;

/** Configuration input with the account key. */
export function azureInput(place: AzurePlace): Record<string, unknown> {
  const { endpoint, container: bucket, account, accountKey } = place;
  return {
    ...{ type: 'abs', bucket, endpoint },
    'account-name': account,
    'account-key': accountKey,
  };
}

/** `more` overrides keys of the input. `undefined` removes a key. */
export async function connectAzure(
  place: AzurePlace,
  more: Record<string, unknown> = {},
  context: Partial<ConnectContext> = {},
): Promise<ReplicaClient> {
  const { config } = parseConfig(backend, { ...azureInput(place), ...more });
  return complete(await backend.connect(config, { logger: SILENT, access: 'write', ...context }));
}

export interface TokenOptions {
  /** "rwdlc": read, write, delete, list, create. */
  readonly permissions?: string;
  readonly expiresOn?: Date;
}

/** Creates an account SAS token for containers and blobs. */
export function accountToken(
  { account, accountKey }: Pick<AzurePlace, 'account' | 'accountKey'>,
  { permissions = 'rwdlc', expiresOn = new Date(Date.now() + HOUR_MS) }: TokenOptions = {},
): string {
  return generateAccountSASQueryParameters(
    {
      permissions: AccountSASPermissions.parse(permissions),
      resourceTypes: AccountSASResourceTypes.parse('sco').toString(),
      services: AccountSASServices.parse('b').toString(),
      expiresOn,
    },
    new StorageSharedKeyCredential(account, accountKey),
  ).toString();
}

/** The vendor's client. */
export function rawContainer(place: AzurePlace): ContainerClient {
  const credential = new StorageSharedKeyCredential(place.account, place.accountKey);
  return new ContainerClient(`${place.endpoint}/${place.container}`, credential);
}

export async function makeContainer(place: AzurePlace): Promise<void> {
  await rawContainer(place).create();
}

export async function rawKeys(place: AzurePlace, prefix: string): Promise<string[]> {
  const blobs = await Array.fromAsync(rawContainer(place).listBlobsFlat({ prefix }));
  return blobs.map(({ name }) => name);
}

export async function rawPut(place: AzurePlace, key: string, bytes: Uint8Array): Promise<void> {
  await rawContainer(place).getBlockBlobClient(key).upload(Buffer.from(bytes), bytes.byteLength);
}
