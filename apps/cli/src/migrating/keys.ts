/**
 * What each key of a configuration of Litestream becomes. Pure.
 *
 *   a key of Sluice              stays
 *   a key without effect here    is left out, with the reason
 *   replica                      replicas, a list
 *   type gcs                     gs
 *   meta-path                    a folder of its own, so that Litestream's stays as it is
 *   a secret in clear            <key>-file, the path of a file with the secret
 */

import { ReplicationError } from '@sluice/core/backend';
import { isMap } from '@sluice/core/config';
import { fileKeyOf } from '../config/defaults.ts';
import { spell, type Path } from '../config/problems.ts';
import type { Section } from '../config/section.ts';
import { WORDS, type Scope, type Word } from '../litestream.ts';
import type { Edit } from './source-file.ts';

export interface KeyRow {
  readonly key: string;
  /** Undefined if it is left out. */
  readonly becomes: string | undefined;
  readonly note: string;
  /** A left-out value that a later version may use: a duration, a number or a switch. */
  readonly value?: string | undefined;
}

export interface SecretFile {
  readonly file: string;
  readonly value: string;
}

export interface Migration {
  readonly rows: readonly KeyRow[];
  /** First these, which keep the secrets where they are. */
  readonly edits: readonly Edit[];
  /** Then these, which move the secrets into files. */
  readonly secretEdits: readonly Edit[];
  /** Last these, which change the paths of keys. */
  readonly lists: readonly Edit[];
  readonly secretFiles: readonly SecretFile[];
}

/** What the planner has to know of a destination. */
export interface Kind {
  /** The keys whose values are secret. */
  readonly secretKeys: ReadonlySet<string>;
  /** The keys in a URL of this type. */
  readonly readURL: (url: string) => Section;
}

export interface PlanOptions {
  /** Maps, lists and strings; variables are marks. */
  readonly root: unknown;
  /** The kinds of the destinations, by database and position. */
  readonly kinds: readonly (readonly Kind[])[];
  /** The secret keys of all types, which may stand at the top level. */
  readonly secretKeys: ReadonlySet<string>;
  /** Folder for files with secrets. */
  readonly secretsFolder: string;
  /** A text in which a dollar sign does not start a variable. */
  readonly quote: (text: string) => string;
  /** The text that stands in the file; undefined if it comes from a variable. */
  readonly literal: (marked: string) => string | undefined;
}

/** Neither a URL nor a path. */
const PLAIN = /^[\w.]{1,20}$/;
const GCS = /^gcs(?=:\/\/|$)/;
const ONLY_HERE =
  'only this machine can connect; to let others connect, as with Litestream, write 0.0.0.0 before the colon';
const IN_FILE = 'the secret is moved to this file, which only its owner can read';

/** CONFIG_INVALID for a secret that cannot be moved. */
export function planMigration(options: PlanOptions): Migration {
  const planner = new Planner(options);
  planner.planTop();
  return planner.result;
}

class Planner {
  readonly #options: PlanOptions;
  readonly #rows: KeyRow[] = [];
  readonly #edits: Edit[] = [];
  readonly #lists: Edit[] = [];
  readonly #secretEdits: Edit[] = [];
  /** By value: the same secret gets one file. */
  readonly #secretFiles = new Map<string, SecretFile>();

  constructor(options: PlanOptions) {
    this.#options = options;
  }

  get result(): Migration {
    return {
      rows: this.#rows,
      edits: this.#edits,
      secretEdits: this.#secretEdits,
      lists: this.#lists,
      secretFiles: [...this.#secretFiles.values()],
    };
  }

  planTop(): void {
    const { root, secretKeys } = this.#options;
    this.#planSection(root, [], ['top', 'replica'], (key, value) => {
      if (key === 'dbs') {
        this.#planEach(value, [key], (item, path, index) => this.#planDatabase(item, path, index));
      } else if (key === 'addr' && String(value).startsWith(':')) {
        this.#keep([key], ONLY_HERE);
      } else this.#planSetting(key, value, [key], secretKeys);
    });
  }

  #planDatabase(database: unknown, path: Path, index: number): void {
    const kinds = this.#options.kinds[index] ?? [];
    this.#planSection(database, path, ['database'], (key, value) => {
      const at = [...path, key];
      if (key === 'replicas') {
        this.#planEach(value, at, (item, where, position) =>
          this.#planReplica(item, where, kinds[position]),
        );
      } else if (key === 'replica') {
        const note = this.#lists.length === 0 ? 'a list, to which you can add destinations' : '';
        this.#lists.push({ kind: 'to-list', path: at });
        this.#keep(at, note);
        this.#planReplica(value, at, kinds[0]);
      } else if (key === 'meta-path' && typeof value === 'string') {
        const own = `${value.replace(/\/+$/, '')}-sluice`;
        this.#edits.push({ kind: 'set', path: at, value: own });
        this.#keep(at, 'with "-sluice" added, so that the folder of Litestream stays as it is');
      } else this.#keep(at);
    });
  }

  #planReplica(replica: unknown, path: Path, kind: Kind | undefined): void {
    const secretKeys = kind?.secretKeys ?? new Set();
    this.#planSection(replica, path, ['replica'], (key, value) => {
      const at = [...path, key];
      if (typeof value === 'string' && (key === 'type' || key === 'url')) {
        const renamed = value.replace(GCS, 'gs');
        if (renamed !== value) this.#edits.push({ kind: 'set', path: at, value: renamed });
        if (key === 'url' && kind !== undefined) this.#planURL(renamed, at, kind);
        this.#keep(at, renamed === value ? '' : 'gs is the name of gcs');
      } else this.#planSetting(key, value, at, secretKeys);
    });
  }

  #planSetting(key: string, value: unknown, at: Path, secretKeys: ReadonlySet<string>): void {
    const literal =
      secretKeys.has(key) && typeof value === 'string' ? this.#options.literal(value) : undefined;
    if (literal === undefined || literal === '') {
      this.#keep(at);
      return;
    }
    const to = fileKeyOf(key);
    const file = this.#fileFor(literal, at);
    this.#secretEdits.push({ kind: 'rename', path: at, to, value: this.#options.quote(file) });
    this.#rows.push({
      key: spell(at),
      becomes: `${toNewKey([...at.slice(0, -1), to])}: ${file}`,
      note: IN_FILE,
    });
  }

  /** A secret in a URL becomes a key beside it. */
  #planURL(url: string, at: Path, { secretKeys, readURL }: Kind): void {
    let rest = url;
    for (const key of secretKeys) {
      const { [key]: value } = readURL(rest);
      const literal = typeof value === 'string' ? this.#options.literal(value) : undefined;
      if (literal === undefined || literal === '') continue;
      const without = withoutKey(rest, key, readURL);
      if (without === undefined) throw hiddenSecretError(at, key);
      rest = without;
      const beside = [...at.slice(0, -1), fileKeyOf(key)];
      const file = this.#fileFor(literal, [...at.slice(0, -1), key]);
      this.#secretEdits.push({ kind: 'set', path: beside, value: this.#options.quote(file) });
      this.#rows.push({
        key: `${spell(at)} (${key})`,
        becomes: `${toNewKey(beside)}: ${file}`,
        note: IN_FILE,
      });
    }
    const password = /^[^/?#]*:\/\/[^/?#@:]*:([^/?#]+)@/.exec(rest)?.[1];
    if (password !== undefined && this.#options.literal(password) !== undefined) {
      throw unusedPasswordError(at, secretKeys);
    }
    if (rest !== url) this.#secretEdits.push({ kind: 'set', path: at, value: rest });
  }

  #fileFor(value: string, at: Path): string {
    const { secretsFolder } = this.#options;
    const name = toNewKey(at).replaceAll(/[^\w-]+/g, '-');
    const found = this.#secretFiles.get(value) ?? { file: `${secretsFolder}/${name}`, value };
    this.#secretFiles.set(value, found);
    return found.file;
  }

  /** Leaves out the keys of Litestream that have no effect, and calls `plan` for the others. */
  #planSection(
    section: unknown,
    path: Path,
    scopes: readonly Scope[],
    plan: (key: string, value: unknown) => void,
  ): void {
    const words = WORDS.filter(({ scope }) => scopes.includes(scope));
    for (const [key, value] of Object.entries(isMap(section) ? section : {})) {
      const isGroup = words.some((word) => word.key.startsWith(`${key}.`));
      if (isGroup && isMap(value)) {
        for (const inner of Object.keys(value)) {
          const at = [...path, key, inner];
          if (!this.#leaveOut(words, `${key}.${inner}`, at, value[inner])) this.#keep(at);
        }
      } else if (!this.#leaveOut(words, key, [...path, key], value)) plan(key, value);
    }
  }

  #leaveOut(words: readonly Word[], key: string, path: Path, value: unknown): boolean {
    const word = words.find((each) => each.key === key && each.support.kind === 'noted');
    if (word?.support.kind !== 'noted') return false;
    this.#edits.push({ kind: 'remove', path });
    const { note } = word.support;
    const shown = typeof value === 'string' && PLAIN.test(value) ? value : undefined;
    this.#rows.push({ key: spell(path), becomes: undefined, note, value: shown });
    return true;
  }

  #planEach(
    list: unknown,
    path: Path,
    plan: (item: unknown, path: Path, index: number) => void,
  ): void {
    const items: readonly unknown[] = Array.isArray(list) ? list : [];
    for (const [index, item] of items.entries()) plan(item, [...path, index], index);
  }

  #keep(path: Path, note = ''): void {
    this.#rows.push({ key: spell(path), becomes: toNewKey(path), note });
  }
}

function hiddenSecretError(at: Path, key: string): ReplicationError {
  const message = `${spell(at)}: ${key} cannot be moved out of the URL: remove it there, and write it as a key beside url`;
  return new ReplicationError('CONFIG_INVALID', message);
}

/** Neither Litestream nor Sluice reads it. */
function unusedPasswordError(at: Path, secretKeys: ReadonlySet<string>): ReplicationError {
  const keys = [...secretKeys].join(' or ');
  const instead =
    keys === '' ? '' : `, and if it is a key that is needed, write it as ${keys} beside url`;
  const message = `${spell(at)}: the password in the URL would be copied in clear, but has no effect: remove it there${instead}`;
  return new ReplicationError('CONFIG_INVALID', message);
}

/** dbs[0].replica.bucket becomes dbs[0].replicas[0].bucket. */
function toNewKey(path: Path): string {
  return spell(
    path.flatMap((step, index) => (index === 2 && step === 'replica' ? ['replicas', 0] : [step])),
  );
}

/** The URL without one key: without the password, or without one part of the query. */
function withoutKey(url: string, key: string, read: Kind['readURL']): string | undefined {
  const [place = '', query = ''] = url.split(/\?(.*)/s);
  const parts = query.split('&');
  const candidates = [
    url.replace(/^([^/]*:\/\/[^/@:]*):[^/@]*@/, '$1@'),
    ...parts.map((_, index) => {
      const rest = parts.filter((_part, other) => other !== index).join('&');
      return rest === '' ? place : `${place}?${rest}`;
    }),
  ];
  const { [key]: _, ...wanted } = read(url);
  return candidates.find((candidate) => isSame(read(candidate), wanted));
}

function isSame(a: Section, b: Section): boolean {
  const keys = new Set([...Object.keys(a), ...Object.keys(b)]);
  return [...keys].every((key) => a[key] === b[key]);
}
