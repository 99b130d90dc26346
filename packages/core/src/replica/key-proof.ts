/**
 * Proves, before the first write below a root whose keys are not plain (plain-keys.ts), that the server
 * keeps such keys: the replica already has files, or a small object is written, listed and deleted.
 */

import { randomUUID } from 'node:crypto';

import { isError, ReplicationError } from '../error.ts';
import { bodyFromBytes } from '../store/body.ts';
import type { CallOptions, ReplicaClient } from '../store/client.ts';
import { describeReplica } from '../store/describe.ts';
import { allLevelsPrefix } from '../store/layout.ts';
import { hasFiles } from './other-layouts.ts';
import { hasPlainKeys, plainRoot } from './plain-keys.ts';

const PROBE_NAME = '.sluice-probe-';

export class KeyProof {
  readonly #client: ReplicaClient;
  readonly #root: string;
  #isProved: boolean;

  constructor(client: ReplicaClient, root: string) {
    this.#client = client;
    this.#root = root;
    // A file system keeps the names of folders.
    this.#isProved =
      client.capabilities.folders === true || hasPlainKeys(client.layout ?? 'tree', root);
  }

  /** Throws REPLICA_UNSUPPORTED if the server does not keep the keys of this root. */
  async prove({ signal }: Pick<CallOptions, 'signal'>): Promise<void> {
    if (this.#isProved) return;
    const { layout = 'tree' } = this.#client;
    const options = { signal, root: this.#root };
    try {
      const isKept =
        (await hasFiles(this.#client, layout, this.#root, options)) ||
        (await this.#keepsProbe(options));
      if (!isKept) throw this.#notKept();
    } catch (error) {
      // Some servers refuse such keys, and some list keys outside the prefix.
      if (!isError(error, 'REPLICA_UNKNOWN')) throw error;
      throw this.#notKept(error);
    }
    this.#isProved = true;
  }

  async #keepsProbe(options: CallOptions): Promise<boolean> {
    const { layout = 'tree' } = this.#client;
    const parent = allLevelsPrefix(layout, this.#root).replace(/[^/]*$/, '');
    const key = `${parent}${PROBE_NAME}${randomUUID()}`;
    const body = bodyFromBytes(Buffer.from('Sluice tests whether the server keeps this key.\n'));
    try {
      await this.#client.put(key, body, options);
    } catch (error) {
      if (isError(error, 'REPLICA_UNSUPPORTED')) throw this.#notKept(error);
      throw error;
    }
    const isKept = await this.#isListed(key, options);
    // If the key was changed, the object has the plain key.
    const names = isKept ? [key] : [key, plainRoot(key) ?? key];
    for (const name of names) await this.#client.delete([name], options);
    return isKept;
  }

  async #isListed(key: string, options: CallOptions): Promise<boolean> {
    try {
      for await (const found of this.#client.list(key, options)) if (found.key === key) return true;
      return false;
    } catch (error) {
      if (isError(error, 'REPLICA_UNKNOWN')) return false;
      throw error;
    }
  }

  #notKept(cause?: ReplicationError): ReplicationError {
    const what = `write to ${describeReplica(this.#client.name, this.#root)}`;
    const meant = plainRoot(this.#root);
    const why =
      cause === undefined ? 'changes keys of this form' : `refuses its keys (${cause.message})`;
    const next =
      meant === undefined
        ? 'set path: without one, keys begin with a slash'
        : `set path to ${meant}`;
    return new ReplicationError('REPLICA_UNSUPPORTED', `${what}: the server ${why}; ${next}`, {
      cause,
    });
  }
}
