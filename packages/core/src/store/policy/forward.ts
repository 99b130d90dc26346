/** Common parts of the wrappers of a client. */

import { posix } from 'node:path';
import { isBrokenInvariant, isError, messageOf, ReplicationError } from '../../error.ts';
import type { ReplicaClient } from '../client.ts';

/** All members of a client, bound to it. A wrapper overrides some of them. */
export function forward(client: ReplicaClient): ReplicaClient {
  const { name, layout, capabilities } = client;
  return {
    name,
    layout,
    capabilities,
    list: (prefix, options) => client.list(prefix, options),
    get: (key, options) => client.get(key, options),
    put: (key, body, options) => client.put(key, body, options),
    delete: (keys, options) => client.delete(keys, options),
    ...forwardIf(client, 'copy', (copy) => copy),
    ...forwardIf(client, 'openLocal', (open) => open),
    close: () => client.close(),
  };
}

type Optional = 'copy' | 'openLocal';

/** An optional member of a wrapper: present if and only if the wrapped client has it. */
export function forwardIf<Name extends Optional>(
  client: ReplicaClient,
  name: Name,
  wrap: (call: NonNullable<ReplicaClient[Name]>) => NonNullable<ReplicaClient[Name]>,
): Pick<ReplicaClient, Name> | undefined {
  const call = client[name];
  if (call === undefined) return undefined;
  const bound = call.bind(client) as NonNullable<ReplicaClient[Name]>;
  return { [name]: wrap(bound) } as unknown as Pick<ReplicaClient, Name>;
}

/** Converts any error of a client to a ReplicationError, with the original error as its cause. */
export function toReplicationError(what: string, error: unknown): unknown {
  if (isError(error)) return error;
  // A broken invariant is a bug, not a problem of the destination: do not hide it.
  if (isBrokenInvariant(error)) return error;
  const cause = error instanceof Error && error.cause !== undefined ? messageOf(error.cause) : '';
  const message = [messageOf(error), cause].filter((text) => text !== '').join(': ');
  return new ReplicationError('REPLICA_UNKNOWN', `${what}: ${message}`, { cause: error });
}

/** Descriptions of calls: the beginning of messages. */
export const describeCall = {
  list: (name: string, prefix: string): string => `list ${place(name, `${prefix}*`)}`,
  get: (name: string, key: string): string => `open ${place(name, key)}`,
  put: (name: string, key: string): string => `write ${place(name, key, 'to')}`,
  delete: (name: string, keys: readonly string[]): string => {
    const [first = ''] = keys;
    if (keys.length === 1) return `delete ${place(name, first)}`;
    const folder = isWholePath(name, first) ? name + posix.dirname(first) : name;
    return `delete ${keys.length} objects at ${folder}`;
  },
  copy: (name: string, from: string, to: string): string => `copy ${from} to ${place(name, to)}`,
};

/** `file://` is no place: a key there is a whole path, and names it. */
function place(name: string, key: string, preposition: 'at' | 'to' = 'at'): string {
  return isWholePath(name, key) ? name + key : `${key} ${preposition} ${name}`;
}

function isWholePath(name: string, key: string): boolean {
  return name.endsWith('://') && key.startsWith('/');
}
