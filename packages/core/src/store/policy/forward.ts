/** What wrappers of a client have in common. */

import { isError, messageOf, ReplicationError } from '../../error.ts';
import type { ReplicaClient } from '../client.ts';

/** All members of a client, bound to it, for a wrapper to override some of them. */
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

/** An optional member of a wrapper: there if and only if the wrapped client has it. */
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

/** Where anything that a client throws becomes one of our errors. Ours pass through; others become the cause of one. */
export function toReplicationError(what: string, error: unknown): unknown {
  if (isError(error)) return error;
  // A broken invariant says nothing about the destination: it must be seen for what it is.
  if (error instanceof TypeError && error.message.startsWith('invariant broken')) return error;
  const cause = error instanceof Error && error.cause !== undefined ? messageOf(error.cause) : '';
  const said = [messageOf(error), cause].filter((text) => text !== '').join(': ');
  return new ReplicationError('REPLICA_UNKNOWN', `${what}: ${said}`, { cause: error });
}

/** What one call does to what: messages begin with it. */
export const describeCall = {
  list: (name: string, prefix: string): string => `list ${prefix}* at ${name}`,
  get: (name: string, key: string): string => `open ${key} at ${name}`,
  put: (name: string, key: string): string => `write ${key} to ${name}`,
  delete: (name: string, keys: readonly string[]): string =>
    `delete ${keys.length === 1 ? keys[0] : `${keys.length} objects`} at ${name}`,
  copy: (name: string, from: string, to: string): string => `copy ${from} to ${to} at ${name}`,
};
