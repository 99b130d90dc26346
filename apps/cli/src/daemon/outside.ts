/**
 * What the directories have and the set of databases does not: databases that wait until they are added, files that
 * cannot be read, and a directory itself while it cannot be searched, or its pattern seems to be wrong. None of them is
 * backed up.
 */

import { ReplicationError } from '@sluice/core/backend';
import type { DatabaseConfig, DirectoryConfig, UnreadDatabase } from '../config/model.ts';
import type { DatabaseSet, Member } from './database-set.ts';

/** Members of each directory. */
type ByDirectory = Map<string, readonly Member[]>;

export class Outside {
  readonly #databases: Pick<DatabaseSet, 'find'>;
  readonly #waiting: ByDirectory = new Map();
  readonly #failed: ByDirectory = new Map();

  constructor(databases: Pick<DatabaseSet, 'find'>) {
    this.#databases = databases;
  }

  get all(): readonly Member[] {
    const members = [...this.#waiting.values(), ...this.#failed.values()].flat();
    return members.filter(({ config }) => this.#databases.find(config.options.path) === undefined);
  }

  /** Databases of the directory that are not added yet. */
  wait(dir: string, databases: readonly DatabaseConfig[]): void {
    replace(
      this.#waiting,
      dir,
      databases.map((config) => toMember(config)),
    );
  }

  /** It was added, or is not wanted. */
  endWait({ directory = '', options: { path } }: DatabaseConfig): void {
    const waiting = this.#waiting.get(directory) ?? [];
    const others = waiting.filter(({ config }) => config.options.path !== path);
    this.#waiting.set(directory, others);
  }

  /** The directory cannot be searched. */
  unsearched({ dir, template }: DirectoryConfig, why: string): void {
    const message = `the databases in ${dir} cannot be looked for: ${why}`;
    this.#fail(dir, template, new ReplicationError('DATABASE_DENIED', message));
  }

  /** The directory was searched. Its pattern means no file, although there are databases. */
  unmatched({ dir, template }: DirectoryConfig, why: string): void {
    this.#fail(dir, template, new ReplicationError('CONFIG_INVALID', why));
  }

  /** The directory was searched. These files in it could not be read. */
  searched(dir: string, unread: readonly UnreadDatabase[]): void {
    replace(
      this.#failed,
      dir,
      unread.map(({ config, why }) =>
        toMember(config, new ReplicationError('DATABASE_DENIED', why)),
      ),
    );
  }

  #fail(dir: string, template: DatabaseConfig, error: ReplicationError): void {
    replace(this.#failed, dir, [toMember({ ...template, destinations: [] }, error)]);
  }

  /** The configuration has other directories now. */
  retain(directories: readonly DirectoryConfig[]): void {
    const dirs = new Set(directories.map(({ dir }) => dir));
    for (const map of [this.#waiting, this.#failed]) {
      for (const dir of map.keys()) if (!dirs.has(dir)) map.delete(dir);
    }
  }
}

/** A member that was there before stays the same object: the age of its problem is known by it. */
function replace(map: ByDirectory, dir: string, members: readonly Member[]): void {
  const before = new Map(map.get(dir)?.map((each) => [each.config.options.path, each]));
  const now = members.map((member) => {
    const known = before.get(member.config.options.path);
    return known?.error?.message === member.error?.message ? (known ?? member) : member;
  });
  map.set(dir, now);
}

/** `error`: why it cannot be added. */
function toMember(config: DatabaseConfig, error?: ReplicationError): Member {
  return {
    config,
    origin: 'directory',
    state: error === undefined ? 'starting' : 'failed',
    error,
  };
}
