/** Reads one section of the file: removes keys of Litestream, then applies the schema. */

import { type ConfigSchema } from '@sluice/core/backend';
import { isMap, validate } from '@sluice/core/config';
import { WORDS, type Scope } from '../litestream.ts';
import { refusalOf } from '../support.ts';
import { spell, type Path, type Problems } from './problems.ts';

export type Section = Readonly<Record<string, unknown>>;

/** A note about a key, logged at the start. */
export interface Note {
  readonly path: Path;
  readonly note: string;
}

/**
 * Removes the keys of Litestream that are refused (a problem) or have no effect (a note). Keys in `known` are
 * supported in this section, and remain.
 */
export function withoutLitestream(
  section: Section,
  path: Path,
  scope: Scope,
  found: {
    readonly problems: Problems;
    readonly notes: Note[];
    /** Type of the destination; undefined in other sections. */
    readonly type?: string | undefined;
    readonly known?: ReadonlySet<string> | undefined;
  },
): Section {
  let rest = section;
  for (const { key, of, support } of WORDS.filter((word) => word.scope === scope)) {
    const [group = '', inner] = key.split('.');
    if (found.known?.has(group) === true) continue;
    const value = valueAt(section, key);
    if (value === undefined) continue;
    rest = without(rest, group, inner);
    const at = [...path, ...key.split('.')];
    if (support.kind === 'noted') found.notes.push({ path: at, note: support.note });
    else if (value !== null) {
      const isForeign = of !== undefined && found.type !== undefined;
      const reason = isForeign
        ? `is a key of ${of}, not of ${found.type}; remove it`
        : refusalOf(support);
      found.problems.add(at, `${spell(at)}: ${reason}`);
    }
  }
  return rest;
}

/** Returns undefined, with problems added, if the section is invalid. */
export function readSection<Output>(
  schema: ConfigSchema<Output>,
  section: Section,
  path: Path,
  found: {
    readonly problems: Problems;
    readonly what: string;
    readonly beside?: readonly string[];
  },
): Output | undefined {
  const { what, beside, problems } = found;
  const result = validate(schema, section, { what, ignored: beside });
  if (result.kind === 'valid') return result.value;
  problems.addAll(path, result.issues);
  return undefined;
}

function valueAt(section: Section, key: string): unknown {
  const [group = '', inner] = key.split('.');
  const value = section[group];
  if (inner === undefined) return value;
  return isMap(value) ? value[inner] : undefined;
}

function without(section: Section, group: string, inner: string | undefined): Section {
  const { [group]: value, ...rest } = section;
  if (inner === undefined || !isMap(value)) return rest;
  const { [inner]: _, ...left } = value;
  return Object.keys(left).length === 0 ? rest : { ...rest, [group]: left };
}
