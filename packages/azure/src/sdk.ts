/** The SDK's client of a container, with the credentials that are configured. */

import { readFile } from 'node:fs/promises';
import type { Agent } from 'node:http';
import type { ContainerClient, StorageSharedKeyCredential } from '@azure/storage-blob';
import { messageOf, ReplicationError } from '@sluice/core/backend';
import { judgeAnswers } from './answers.ts';
import { cleanToken, type AzureConfig } from './config.ts';

type SDK = typeof import('@azure/storage-blob');
type TokenCredential = InstanceType<typeof import('@azure/identity').DefaultAzureCredential>;

/** For which a token is asked that is to be sent along with a copy. */
const SCOPE = 'https://storage.azure.com/.default';
/** The server reads the source of a copy at once; the rest is for clocks that differ. */
const COPY_TOKEN_MS = 15 * 60_000;

export interface CopySource {
  readonly url: string;
  readonly sourceAuthorization?: { readonly scheme: string; readonly value: string };
}

export interface Access {
  /** With the credentials of this moment. REPLICA_UNAUTHENTICATED where their file is not readable. */
  client(what: string): Promise<ContainerClient>;
  /** How the server is to read a blob of this container that it shall copy. */
  copySource(container: ContainerClient, key: string): Promise<CopySource>;
}

/** CONFIG_INVALID where no credentials are given and @azure/identity is not installed. */
export async function accessTo(config: AzureConfig, agent: Agent): Promise<Access> {
  // Loaded when the first destination connects: it takes longer than all else at a start.
  const sdk = await import('@azure/storage-blob');
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

/** A token is part of each URL. It may be another one each time. */
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

/** Read for each request: next to what that takes it costs nothing, and it is never an old one. */
async function readToken(path: string, what: string): Promise<string> {
  const text = await readFile(path, 'utf8').catch((error: unknown) => {
    const message = `${what}: sas-token-path cannot be read: ${messageOf(error)}`;
    throw new ReplicationError('REPLICA_UNAUTHENTICATED', message, { cause: error });
  });
  const token = cleanToken(text);
  if (/(^|&)sig=./.test(token)) return token;
  const message = `${what}: ${path} holds no token with a signature (sig=…)`;
  throw new ReplicationError('REPLICA_UNAUTHENTICATED', message);
}

/** An optional peer dependency: who has a key or a token does without it. */
async function loadIdentity(): Promise<typeof import('@azure/identity')> {
  try {
    return await import('@azure/identity');
  } catch (error) {
    const message =
      'connect to Azure: neither account-key, sas-token, sas-token-path nor connection-string is given, and ' +
      '@azure/identity, which finds credentials elsewhere, cannot be loaded: npm install @azure/identity';
    throw new ReplicationError('CONFIG_INVALID', message, { cause: error });
  }
}

function pipelineOf(
  sdk: SDK,
  credential: Parameters<SDK['newPipeline']>[0],
  agent: Agent,
): ReturnType<SDK['newPipeline']> {
  const pipeline = sdk.newPipeline(credential, pipelineOptions(agent));
  pipeline.factories.push(judgeAnswers);
  return pipeline;
}

interface PipelineOptions {
  readonly agent: Agent;
  readonly redirectOptions: { readonly maxRetries: number };
}

/** The two are options of the SDK's HTTP pipeline, though not of the type here. */
function pipelineOptions(agent: Agent): Parameters<SDK['newPipeline']>[1] & PipelineOptions {
  return {
    agent,
    retryOptions: { maxTries: 1 }, // core retries, once for all backends
    // The agent knows the way through a proxy (core). Without this the SDK would look for one itself.
    proxyOptions: { host: 'http://unused.invalid', port: 1 },
    redirectOptions: { maxRetries: 0 }, // Azure sends us nowhere: a login page does
    userAgentOptions: { userAgentPrefix: 'sluice' },
  };
}
