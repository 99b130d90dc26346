/** Which keys a destination has, and what its backend is given of them. */

import { ReplicationError } from '@sluice/core/backend';
import { isOwnType } from '../backends.ts';
import { WORKS } from '../surface/fate.ts';
import type { Key } from '../surface/key.ts';
import { REPLICA_KEYS } from '../surface/keys-replica.ts';
import type { MapNode, Node } from './document.ts';
import type { Values } from './values.ts';
import { readSecretFile } from './variables.ts';

/** Of a key with this behind it the value is the name of a file. */
const FILE = '-file';

/**
 * Keys that a type of ours, or one that we refuse, may have. Those of a refused type pass: that its
 * type is refused says it all. Keys of other types are known, to be refused in their words.
 */
export function keysOfType(type: string): readonly Key[] {
  const isOwn = isOwnType(type);
  const own = REPLICA_KEYS.filter((key) => key.of === undefined || key.of.includes(type));
  const names = new Set(own.map((key) => key.name));
  const others = REPLICA_KEYS.filter((key) => !names.has(key.name)).map((key) =>
    foreign(key, type),
  );
  if (isOwn) return [...own, ...others];
  return own.map((key) => (key.of === undefined ? key : { ...key, fate: WORKS }));
}

/** A key of another type. */
function foreign(key: Key, type: string): Key {
  const reason = `is a key of ${key.of?.join(', ') ?? 'others'}, not of ${type}`;
  return { ...key, fate: { kind: 'refused', reason, instead: 'leave it out' } };
}

/** Keys of a stranger's replica that are ours to read; all others are the stranger's. */
export function commonKeysOf(node: MapNode): readonly Key[] {
  const common = REPLICA_KEYS.filter((key) => key.of === undefined);
  return common.filter((key) => node.entries.has(key.name.split('.')[0] ?? ''));
}

/** What a backend of ours is given: the values of its own keys. Files of secrets are read. */
export function inputOf(values: Values, keys: readonly Key[]): Record<string, unknown> {
  const input: Record<string, unknown> = {};
  for (const key of keys) {
    if (key.of === undefined || key.fate.kind === 'refused') continue;
    const value = values.any(key.name);
    if (value === undefined) continue;
    if (!key.name.endsWith(FILE)) input[key.name] = value;
    else addFromFile(input, key.name, values.text(key.name) ?? '');
  }
  return input;
}

function addFromFile(input: Record<string, unknown>, name: string, file: string): void {
  const base = name.slice(0, -FILE.length);
  if (input[base] !== undefined) {
    const message = `${name} cannot be given together with ${base}`;
    throw new ReplicationError('CONFIG_INVALID', message);
  }
  input[base] = readSecretFile(file, name);
}

/** What stands at the top for this type. */
export function defaultsFor(type: string, top: Values): Record<string, unknown> {
  if (!isOwnType(type)) return {};
  return inputOf(
    top,
    REPLICA_KEYS.filter((key) => key.of?.includes(type)),
  );
}

/** What a stranger's backend is given: what YAML makes of it, without the keys that are ours. */
export function naturalInput(node: MapNode): Record<string, unknown> {
  const ours = new Set(commonKeysOf(node).map((key) => key.name.split('.')[0]));
  const theirs = [...node.entries].filter(([name]) => !ours.has(name));
  return Object.fromEntries(theirs.map(([name, { value }]) => [name, naturalValue(value)]));
}

function naturalValue(node: Node): unknown {
  switch (node.kind) {
    case 'nothing':
      return undefined;
    case 'list':
      return node.items.map(naturalValue);
    case 'map':
      return Object.fromEntries(
        [...node.entries].map(([name, { value }]) => [name, naturalValue(value)]),
      );
    case 'text':
      if (node.style === 'quoted') return node.text;
      if (/^(true|false)$/.test(node.text)) return node.text === 'true';
      return /^-?(0|[1-9]\d{0,14})(\.\d+)?$/.test(node.text) ? Number(node.text) : node.text;
  }
}
