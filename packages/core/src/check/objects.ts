/**
 * Probes of named objects. A lease is one of them, stored where Litestream stores it. Its holder renews it by
 * writing it again on condition of the version of the previous write.
 */

import { isError } from '../error.ts';
import { versionsReport, unsupportedVersions, type ConditionOutcome } from './verdicts.ts';
import { doesNot, ONE_WRITER, works, type FeatureReport } from './report.ts';
import { isRefusal } from './probe-replica.ts';
import type { PutOptions } from '../store/client.ts';
import type { NamedObjects } from '../replica/named-objects.ts';
import { OBJECT_BYTES_MAX } from '../store/policy/conflict.ts';
import { readBytes } from '../store/body.ts';

const LEASE = 'lock.json';

export class ProbeObjects {
  readonly #objects: NamedObjects;
  readonly #nonce: string;
  readonly #signal: AbortSignal | undefined;
  readonly #tried = new Set<string>();

  /** `nonce` makes the content of our objects unique, so that a conflict with our own write is recognized. */
  constructor(objects: NamedObjects, nonce: string, signal: AbortSignal | undefined) {
    this.#objects = objects;
    this.#nonce = nonce;
    this.#signal = signal;
  }

  get tried(): readonly string[] {
    return [...this.#tried];
  }

  async put(
    name: string,
    text: string,
    condition?: PutOptions['condition'],
  ): Promise<{ readonly version?: string | undefined }> {
    const isNew = !this.#tried.has(name);
    this.#tried.add(name);
    const options = { condition, signal: this.#signal };
    try {
      return await this.#objects.put(name, this.#bytesOf(text), options);
    } catch (error) {
      if (isNew && isRefusal(error)) this.#tried.delete(name);
      throw error;
    }
  }

  async holds(name: string, text: string): Promise<boolean> {
    const { body } = await this.#objects.get(name, { signal: this.#signal });
    const bytes = await readBytes(body, OBJECT_BYTES_MAX);
    return Buffer.compare(bytes, this.#bytesOf(text)) === 0;
  }

  async names(signal: AbortSignal | undefined = this.#signal): Promise<string[]> {
    const found = await Array.fromAsync(this.#objects.list('', { signal }));
    return found.map(({ name }) => name);
  }

  async deleteTried(signal: AbortSignal): Promise<void> {
    for (const name of this.#tried) await this.#objects.delete(name, { signal });
  }

  #bytesOf(text: string): Uint8Array {
    return Buffer.from(JSON.stringify({ check: this.#nonce, text }));
  }
}

export async function namedObjects(objects: ProbeObjects): Promise<FeatureReport> {
  await objects.put(LEASE, 'first');
  if (!(await objects.holds(LEASE, 'first'))) {
    return doesNot('objects', `${LEASE}: the bytes read differ from those written`, OTHER_BYTES);
  }
  const names = await objects.names();
  if (names.join() === LEASE) return works('objects', `${LEASE} was written, read and listed`);
  const seen = `${LEASE} exists, but the listing contains ${names.join(', ') || 'nothing'}`;
  return doesNot('objects', seen, 'report it: a written object must be listed at once');
}

export const OTHER_BYTES = 'check for a proxy or a cache in between; otherwise report this line';

/** Two writers with the same version: only the first may write the next one. */
export async function versions(objects: ProbeObjects): Promise<FeatureReport> {
  const { version } = await objects.put(LEASE, 'mine');
  if (version === undefined) {
    return doesNot('if-version', 'a write returns no version: no lease can be held', ONE_WRITER);
  }
  try {
    const right = await outcomeOf(() => objects.put(LEASE, 'renewed', { version }));
    const stale = await outcomeOf(() => objects.put(LEASE, 'stale', { version }));
    const absent = await outcomeOf(() => objects.put(LEASE, 'absent', 'if-absent'));
    const holds = (await objects.holds(LEASE, 'renewed')) ? 'right' : 'another';
    return versionsReport({ right, stale, absent, holds });
  } catch (error) {
    const report = unsupportedVersions(error);
    if (report === undefined) throw error;
    return report;
  }
}

/** Rethrows an error of the backend itself, which was not sent to the server. */
async function outcomeOf(work: () => Promise<unknown>): Promise<ConditionOutcome> {
  try {
    await work();
    return 'accepted';
  } catch (error) {
    if (isError(error, 'REPLICA_CONFLICT')) return 'conflict';
    if (isError(error, 'REPLICA_UNSUPPORTED') && error.status !== undefined) return 'unsupported';
    throw error;
  }
}
