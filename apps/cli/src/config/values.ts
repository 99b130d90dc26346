/** One map of the configuration, read as the table of keys says: what is there, and what is wrong. */

import { nearest, parseBytes, parseDuration } from '@sluice/core/backend';
import { refusalOf } from '../surface/fate.ts';
import type { Key } from '../surface/key.ts';
import type { MapNode, Node } from './document.ts';
import { spell, type Issues, type Path } from './issues.ts';

/** A value as its key's type says: text, milliseconds, bytes, a count, a boolean, or a node. */
type Value = string | number | boolean | Node;

export class Values {
  readonly #values = new Map<string, Value>();
  /** Keys that are taken without effect, with what to say of them. */
  readonly notes: readonly { readonly path: Path; readonly note: string }[];

  /** Adds an issue for each key that is unknown, refused, or not of its type. */
  constructor(node: MapNode, path: Path, keys: readonly Key[], issues: Issues) {
    const notes: { path: Path; note: string }[] = [];
    for (const { name, path: at, value } of flatten(node, path, keys)) {
      const key = keys.find((row) => row.name === name);
      if (key === undefined) issues.add(at, unknown(at, name, keys));
      else if (value.kind !== 'nothing') {
        const refusal = refusalFor(key, value);
        if (refusal === undefined) this.#set(key, at, value, issues);
        else issues.add(at, `${spell(at)}: ${refusal}`);
        if (key.fate.kind === 'noted') notes.push({ path: at, note: key.fate.note });
      }
    }
    this.notes = notes;
  }

  /** Whatever its type. */
  any(name: string): Value | undefined {
    return this.#values.get(name);
  }

  text(name: string): string | undefined {
    return this.#values.get(name) as string | undefined;
  }

  number(name: string): number | undefined {
    return this.#values.get(name) as number | undefined;
  }

  boolean(name: string): boolean | undefined {
    return this.#values.get(name) as boolean | undefined;
  }

  /** Of a map or a list. */
  node(name: string): Node | undefined {
    return this.#values.get(name) as Node | undefined;
  }

  #set(key: Key, at: Path, node: Node, issues: Issues): void {
    const result = convert(key, node);
    if ('value' in result) this.#values.set(key.name, result.value);
    else issues.add(at, `${spell(at)} ${result.problem}`);
  }
}

interface FoundKey {
  readonly name: string;
  readonly path: Path;
  readonly value: Node;
}

/** The keys of a map, and those one map below where the table has names with a dot. */
function* flatten(node: MapNode, path: Path, keys: readonly Key[]): Iterable<FoundKey> {
  for (const [name, { value }] of node.entries) {
    const isGroup = keys.some((key) => key.name.startsWith(`${name}.`));
    if (isGroup && value.kind === 'nothing') continue;
    if (!isGroup || value.kind !== 'map') yield { name, path: [...path, name], value };
    else {
      for (const [inner, entry] of value.entries) {
        yield { name: `${name}.${inner}`, path: [...path, name, inner], value: entry.value };
      }
    }
  }
}

function unknown(path: Path, name: string, keys: readonly Key[]): string {
  const below = keys.filter((key) => key.name.startsWith(`${name}.`));
  if (below.length > 0) {
    return `${spell(path)} must be a map of ${below.map((key) => key.name.slice(name.length + 1)).join(', ')}`;
  }
  const group = name.includes('.') ? name.slice(0, name.indexOf('.') + 1) : '';
  const siblings = keys.filter((key) => key.name.startsWith(group));
  const meant = nearest(
    name.slice(group.length),
    siblings.map((key) => key.name.slice(group.length)),
  );
  const hint = meant === undefined ? '' : `: did you mean ${group}${meant}?`;
  return `${spell(path)} is not a known key${hint}`;
}

function refusalFor(key: Key, node: Node): string | undefined {
  if (key.fate.kind !== 'refused') return undefined;
  const isLetThrough = node.kind === 'text' && node.text === key.fate.except;
  return isLetThrough ? undefined : refusalOf(key.fate);
}

type Converted = { readonly value: Value } | { readonly problem: string };

/** The value of one key, or what is wrong with it. */
function convert(key: Key, node: Node): Converted {
  const { type } = key;
  if (type.kind === 'map' || type.kind === 'list') {
    return node.kind === type.kind ? { value: node } : { problem: `must be a ${type.kind}` };
  }
  if (node.kind !== 'text') return { problem: `must be a value, not a ${node.kind}` };
  const { text } = node;
  switch (type.kind) {
    case 'text':
    case 'secret':
      return { value: text };
    case 'boolean':
      if (/^(true|yes|on)$/i.test(text)) return { value: true };
      if (/^(false|no|off)$/i.test(text)) return { value: false };
      return { problem: `must be true or false, not "${text}"` };
    case 'number': {
      const { least } = type;
      const isWhole = /^\d+$/.test(text) && Number.isSafeInteger(Number(text));
      if (isWhole && Number(text) >= least) return { value: Number(text) };
      return { problem: `must be a whole number from ${least}, not "${text}"` };
    }
    case 'duration': {
      const ms = parseDuration(text);
      if (ms !== undefined && ms >= type.leastMs) return { value: ms };
      const least = type.leastMs > 0 ? ` of ${type.leastMs}ms or more` : '';
      return { problem: `must be a duration${least} such as 10s, 5m or 24h, not "${text}"` };
    }
    case 'size': {
      const bytes = parseBytes(text);
      if (bytes !== undefined && bytes >= type.leastBytes) return { value: bytes };
      const least = type.leastBytes > 0 ? ` of ${type.leastBytes} bytes or more` : '';
      return { problem: `must be a size${least} such as 10MB or 512MiB, not "${text}"` };
    }
    case 'choice': {
      const word = text.toLowerCase();
      if (type.values.includes(word)) return { value: word };
      const meant = nearest(word, type.values);
      const hint = meant === undefined ? '' : `: did you mean ${meant}?`;
      return { problem: `must be one of ${type.values.join(', ')}, not "${text}"${hint}` };
    }
  }
}
