/** One container: the SDK's client with the configured credentials, and how a request is sent. */

import { readFile } from 'node:fs/promises';
import type { Agent } from 'node:http';
import type { ContainerClient, StorageSharedKeyCredential } from '@azure/storage-blob';
import {
  messageOf,
  ReplicationError,
  type ConnectContext,
  type Logger,
} from '@sluice/core/backend';
import type {
  Call,
  PartMemory,
  RequestOptions,
  Requests,
  WhenAborted,
} from '@sluice/core/backend/http';
import { cleanToken, type AzureConfig } from './config.ts';
import { checkResponses, toReplicationError } from './errors.ts';

type SDK = typeof import('@azure/storage-blob');
type TokenCredential = InstanceType<typeof import('@azure/identity').DefaultAzureCredential>;

/** The metadata in which Litestream stores the time of a file. Metadata names have no hyphens. */
export const TIMESTAMP = 'litestreamtimestamp';
/** The scope of the token with which the server reads the source of a copy. */
const SCOPE = 'https://storage.azure.com/.default';
/** Time between two questions to the program: a token lives for much longer. */
const TOKEN_MS = 60_000;
/** A token with a signature. */
const SIGNED = /(^|&)sig=./;
/** The server reads the source of a copy immediately; the rest is for clock differences. */
const COPY_TOKEN_MS = 15 * 60_000;

/** The state that the requests of a container share. */
export interface Container {
  readonly config: AzureConfig;
  readonly access: Access;
  readonly agent: Agent;
  readonly requests: Requests;
  readonly memory: PartMemory;
  readonly logger: Logger;
}

/** Rethrows the reason of an abort unchanged; converts any other error. */
export async function request<Result>(
  { access, requests }: Container,
  call: Call,
  whenAborted: WhenAborted,
  send: (client: ContainerClient, abortSignal: AbortSignal) => Promise<Result>,
): Promise<Result> {
  return await requests.request(optionsOf(call, whenAborted), async (abortSignal) =>
    send(await access.client(call.what), abortSignal),
  );
}

export function optionsOf({ what, signal }: Call, whenAborted: WhenAborted): RequestOptions {
  return { signals: [signal], whenAborted, toError: (error) => toReplicationError(error, what) };
}

/** ETags have quotes in headers, but not in listings. */
export function versionOf(etag: string | undefined): string {
  return etag === undefined ? '' : `"${etag.replaceAll('"', '')}"`;
}

export interface Access {
  /** Uses the current credentials. REPLICA_UNAUTHENTICATED if their file cannot be read. */
  client(what: string): Promise<ContainerClient>;
  /** The URL, and the credentials if needed, with which the server reads the source of a copy. */
  copySource(container: ContainerClient, key: string): Promise<CopySource>;
}

interface CopySource {
  readonly url: string;
  readonly sourceAuthorization?: { readonly scheme: string; readonly value: string };
}

/** CONFIG_INVALID if no credentials are configured and @azure/identity is not installed. */
export async function accessTo(
  config: AzureConfig,
  agent: Agent,
  ask: ConnectContext['credentials'],
): Promise<Access> {
  // Loaded when the first destination connects, because loading it is slow.
  const sdk = await import('@azure/storage-blob');
  if (ask !== undefined) return withToken(config, agent, sdk, askToken(ask));
  const { credentials } = config;
  switch (credentials.kind) {
    case 'shared-key': {
      const { accountName, accountKey } = credentials;
      const key = new sdk.StorageSharedKeyCredential(accountName, accountKey.reveal());
      return withCredential(config, agent, sdk, key, async (container, name) => {
        const permissions = sdk.BlobSASPermissions.parse('r');
        const expiresOn = new Date(Date.now() + COPY_TOKEN_MS);
        return {
          url: await container.getBlobClient(name).generateSasUrl({ permissions, expiresOn }),
        };
      });
    }
    case 'sas': {
      const token = credentials.token.reveal();
      return withToken(config, agent, sdk, async () => token);
    }
    case 'sas-file':
      return withToken(config, agent, sdk, (what) => readToken(credentials.path, what));
    case 'default': {
      const identity = await loadIdentity();
      const found = new identity.DefaultAzureCredential();
      return withCredential(config, agent, sdk, found, async (container, name) => {
        const { token } = await found.getToken(SCOPE);
        const sourceAuthorization = { scheme: 'Bearer', value: token };
        return { url: container.getBlobClient(name).url, sourceAuthorization };
      });
    }
  }
}

function withCredential(
  config: AzureConfig,
  agent: Agent,
  sdk: SDK,
  credential: StorageSharedKeyCredential | TokenCredential,
  copySource: Access['copySource'],
): Access {
  const url = `${config.endpoint}/${config.container}`;
  const client = new sdk.ContainerClient(url, pipelineOf(sdk, credential, agent));
  return { client: async () => client, copySource };
}

/** A SAS token is part of every URL, and may change between requests. */
function withToken(
  config: AzureConfig,
  agent: Agent,
  sdk: SDK,
  tokenFor: (what: string) => Promise<string>,
): Access {
  const pipeline = pipelineOf(sdk, new sdk.AnonymousCredential(), agent);
  let current: { readonly token: string; readonly client: ContainerClient } | undefined;
  return {
    async client(what) {
      const token = await tokenFor(what);
      if (current?.token !== token) {
        const url = `${config.endpoint}/${config.container}?${token}`;
        current = { token, client: new sdk.ContainerClient(url, pipeline) };
      }
      return current.client;
    },
    copySource: async (container, name) => ({ url: container.getBlobClient(name).url }),
  };
}

/** Asks the program for a SAS token, at most once in TOKEN_MS. A failure is not kept. */
function askToken(ask: () => Promise<unknown>): (what: string) => Promise<string> {
  let asked: { readonly token: Promise<string>; readonly at: number } | undefined;
  return async (what) => {
    const now = performance.now();
    if (asked === undefined || now - asked.at >= TOKEN_MS) {
      asked = { token: ask().then((answer) => checkAnswer(answer, what)), at: now };
    }
    const { token } = asked;
    try {
      return await token;
    } catch (error) {
      if (asked.token === token) asked = undefined;
      throw error;
    }
  };
}

function checkAnswer(answer: unknown, what: string): string {
  const token = typeof answer === 'string' ? cleanToken(answer) : '';
  if (SIGNED.test(token)) return token;
  const message = `${what}: the credentials function returned no token with a signature (sig=…); return a SAS token`;
  throw new ReplicationError('REPLICA_UNAUTHENTICATED', message);
}

/** Called for each request: the file may change, and reading it is cheap compared to a request. */
async function readToken(path: string, what: string): Promise<string> {
  const text = await readFile(path, 'utf8').catch((error: unknown) => {
    const message = `${what}: sas-token-path cannot be read: ${messageOf(error)}`;
    throw new ReplicationError('REPLICA_UNAUTHENTICATED', message, { cause: error });
  });
  const token = cleanToken(text);
  if (SIGNED.test(token)) return token;
  const message = `${what}: ${path} has no token with a signature (sig=…)`;
  throw new ReplicationError('REPLICA_UNAUTHENTICATED', message);
}

/** An optional peer dependency: a key or a token works without it. */
async function loadIdentity(): Promise<typeof import('@azure/identity')> {
  try {
    return await import('@azure/identity');
  } catch (error) {
    const message =
      'connect to Azure: none of account-key, sas-token, sas-token-path and connection-string is set, and ' +
      '@azure/identity, which finds other credentials, cannot be loaded: npm install @azure/identity';
    throw new ReplicationError('CONFIG_INVALID', message, { cause: error });
  }
}

/** `agent` and `redirectOptions` are options of the SDK's HTTP pipeline that its type here lacks. */
function pipelineOf(
  sdk: SDK,
  credential: Parameters<SDK['newPipeline']>[0],
  agent: Agent,
): ReturnType<SDK['newPipeline']> {
  const options: PipelineOptions = {
    agent,
    retryOptions: { maxTries: 1 }, // core retries, for all backends
    // The agent handles proxies (core). Without this the SDK would look for one itself.
    proxyOptions: { host: 'http://unused.invalid', port: 1 },
    redirectOptions: { maxRetries: 0 }, // Azure never redirects; a login page may
    userAgentOptions: { userAgentPrefix: 'sluice' },
  };
  const pipeline = sdk.newPipeline(credential, options);
  pipeline.factories.push(checkResponses);
  return pipeline;
}

type PipelineOptions = NonNullable<Parameters<SDK['newPipeline']>[1]> & {
  readonly agent: Agent;
  readonly redirectOptions: { readonly maxRetries: number };
};
