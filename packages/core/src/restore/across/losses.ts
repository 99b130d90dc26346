/** What a restore leaves out: files that are missing or damaged, and sources that stopped answering. */

import type { ReplicationError } from '../../error.ts';
import { describeFile } from '../../store/describe.ts';
import type { AvoidedFile, FailedSource } from '../options.ts';
import { keyOfFile, type SourcedFile } from '../plan/sources.ts';
import { isAboutFile, type SourceError } from './source-error.ts';

export class Losses {
  /** By `keyOfFile`. */
  readonly #files = new Map<string, AvoidedFile>();
  /** By name. */
  readonly #sources = new Map<string, FailedSource>();

  get files(): AvoidedFile[] {
    return [...this.#files.values()];
  }

  get sources(): FailedSource[] {
    return [...this.#sources.values()];
  }

  has(file: SourcedFile): boolean {
    return this.#files.has(keyOfFile(file)) || this.#sources.has(file.source.name);
  }

  hasSource(name: string): boolean {
    return this.#sources.has(name);
  }

  addFile(file: SourcedFile, { code, message }: ReplicationError): void {
    const { name: source } = file.source;
    this.#files.set(keyOfFile(file), { file: describeFile(file), source, code, message });
  }

  addSource(source: string, { code, message }: ReplicationError): void {
    this.#sources.set(source, { source, code, message });
  }

  /** Adds what the error is about: one of the listed files, or its source. Rethrows an error about another file. */
  addCause(error: SourceError, listed: readonly SourcedFile[]): void {
    if (error.scope === 'source') {
      this.addSource(error.source, error);
      return;
    }
    const file = listed.find((each) => isAboutFile(error, each, each.source.name));
    if (file === undefined) throw error;
    this.addFile(file, error);
  }
}
