/**
 * Roots whose keys are not plain (plain-keys.ts), and files that lie beside where they are looked for.
 * Before the first write below such a root it is proved that the server keeps the keys: by files of the
 * replica that are there already, or by a small object that is written, listed and deleted.
 */

import { randomUUID } from 'node:crypto';

import { isError, ReplicationError } from '../../error.ts';
import { bodyFromBytes } from '../body.ts';
import {
  errorOfGenerations,
  errorOfOtherLayout,
  GENERATIONS,
  isGeneration,
  otherLayout,
} from '../../replica/elsewhere.ts';
import type { KeyedStore } from './keyed-store.ts';
import { allLevelsPrefix, objectPrefix, parseKey, type Layout } from '../layout.ts';
import { hasPlainKeys, plainRoot } from '../plain-keys.ts';
import type { StoreCall } from '../store-call.ts';

const PROBE_NAME = '.sluice-probe-';

export class KeyedRoots {
  readonly #store: KeyedStore;
  readonly #proved = new Set<string>();

  constructor(store: KeyedStore) {
    this.#store = store;
  }

  /** REPLICA_UNSUPPORTED where the server does not keep the keys of this root. */
  async prove(root: string, call: StoreCall): Promise<void> {
    const { layout } = this.#store;
    if (this.#proved.has(root) || hasPlainKeys(layout, root)) return;
    const isKept =
      (await this.#hasFiles(layout, root, call)) || (await this.#keepsProbe(root, call));
    if (!isKept) throw notKept(root, call.what);
    this.#proved.add(root);
  }

  /**
   * To be called where nothing was listed, before that is taken for "no backup". REPLICA_UNSUPPORTED
   * where there are files that this replica may be meant to have.
   */
  async lookBeside(root: string, call: StoreCall): Promise<void> {
    const { layout } = this.#store;
    const other = otherLayout(layout, root);
    if (await this.#hasFiles(other.layout, root, call)) {
      throw errorOfOtherLayout(call.what, layout);
    }
    const generations = objectPrefix(root, `${GENERATIONS}/`);
    const keys = await this.#keys(generations, call);
    if (keys.some((key) => isGeneration(key.slice(generations.length).split('/')[0] ?? ''))) {
      throw errorOfGenerations(call.what);
    }
    const meant = hasPlainKeys(layout, root) ? undefined : plainRoot(root);
    if (meant !== undefined && (await this.#hasFiles(layout, meant, call))) {
      const message = `${call.what}: nothing is there, but files of ${meant} are: set path to ${meant}`;
      throw new ReplicationError('REPLICA_UNSUPPORTED', message);
    }
  }

  /** Whether the first page of a listing has files. */
  async #hasFiles(layout: Layout, root: string, call: StoreCall): Promise<boolean> {
    const prefix = allLevelsPrefix(layout, root);
    const keys = await this.#keys(prefix, call);
    return keys.some((key) => parseKey(layout, root, key) !== undefined);
  }

  async #keepsProbe(root: string, call: StoreCall): Promise<boolean> {
    const key = `${parentOf(allLevelsPrefix(this.#store.layout, root))}${PROBE_NAME}${randomUUID()}`;
    const body = bodyFromBytes(
      Buffer.from('Sluice looks whether this key is kept.\n'),
      new Date(0),
    );
    try {
      await this.#store.put({ ...call, key, body, createdAt: undefined, condition: undefined });
      const isKept = (await this.#keys(key, call)).includes(key);
      // Where it is not kept, it is there under another one.
      for (const name of isKept ? [key] : [key, plainRoot(key) ?? key]) {
        await this.#store.delete(name, call);
      }
      return isKept;
    } catch (error) {
      // Some servers refuse what others tidy.
      if (!isError(error, 'REPLICA_UNKNOWN') && !isError(error, 'REPLICA_UNSUPPORTED')) throw error;
      throw notKept(root, call.what, error);
    }
  }

  /** Of one page. A server that tidies keys may list what was not asked for. */
  async #keys(prefix: string, call: StoreCall): Promise<readonly string[]> {
    const page = await this.#store.listPage({ ...call, prefix, pageToken: undefined });
    return Array.from(page.objects, ({ key }) => key).filter((key) => key.startsWith(prefix));
  }
}

/** Of a key or a prefix, all up to its last slash. */
function parentOf(key: string): string {
  return key.slice(0, key.lastIndexOf('/') + 1);
}

function notKept(root: string, what: string, cause?: ReplicationError): ReplicationError {
  const meant = plainRoot(root);
  const said = cause?.message.replace(`${what}: `, '');
  const why =
    said === undefined ? 'does not keep such keys as they are' : `refuses its keys (${said})`;
  const next =
    meant === undefined ? 'set path: without one, keys begin with a slash' : `set path to ${meant}`;
  const message = `${what}: the server ${why}; ${next}`;
  return new ReplicationError('REPLICA_UNSUPPORTED', message, { cause });
}
