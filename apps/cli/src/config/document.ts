/**
 * A YAML file as a tree of maps, lists and texts that know their lines. Anchors, aliases and `<<`
 * are resolved. Scalars stay the texts that they were written as: `0600`, `1e5`, `yes` and
 * `2024-01-01` are what their key makes of them.
 */

import { isAlias, isMap, isScalar, isSeq, LineCounter, parseDocument } from 'yaml';
import type { Document, Pair, YAMLMap, YAMLParseError } from 'yaml';
import { ReplicationError } from '@sluice/core/backend';

export type Node = MapNode | ListNode | TextNode | NothingNode;

export interface MapNode {
  readonly kind: 'map';
  readonly line: number;
  readonly entries: ReadonlyMap<string, Entry>;
}

export interface Entry {
  /** Of the key: its value may begin on the next. */
  readonly line: number;
  readonly value: Node;
}

export interface ListNode {
  readonly kind: 'list';
  readonly line: number;
  readonly items: readonly Node[];
}

export interface TextNode {
  readonly kind: 'text';
  readonly line: number;
  readonly text: string;
  /** Whether it was in quotes, and so is a text and nothing else. */
  readonly style: 'plain' | 'quoted';
}

/** A key without a value. */
export interface NothingNode {
  readonly kind: 'nothing';
  readonly line: number;
}

/** Deeper than any configuration; an alias that holds itself ends here. */
const DEPTH_MAX = 32;
/** More than any configuration; aliases of aliases can make as many of a few lines as they like. */
const NODES_MAX = 200_000;

/** CONFIG_INVALID with every place where it is no YAML. `fill` gives what a text says. */
export function parseTree(
  text: string,
  file: string,
  fill: (text: string, line: number) => string,
): Node {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, merge: true });
  const lineAt = (offset: number): number => Math.max(1, lines.linePos(offset).line);
  if (document.errors.length > 0) {
    const found = document.errors.map(
      (error) => `${file}:${lineAt(error.pos[0])}: ${describe(error)}`,
    );
    throw new ReplicationError('CONFIG_INVALID', `${file} is not YAML:\n${found.join('\n')}`);
  }
  return new Builder(document, file, lineAt, fill).build(document.contents, 1, 0);
}

function describe({ code, message }: YAMLParseError): string {
  return code === 'MULTIPLE_DOCS' ? 'there is more than one document (---)' : message;
}

class Builder {
  #nodes = 0;
  readonly #document: Document.Parsed;
  readonly #file: string;
  readonly #lineAt: (offset: number) => number;
  readonly #fill: (text: string, line: number) => string;

  constructor(
    document: Document.Parsed,
    file: string,
    lineAt: (offset: number) => number,
    fill: (text: string, line: number) => string,
  ) {
    this.#document = document;
    this.#file = file;
    this.#lineAt = lineAt;
    this.#fill = fill;
  }

  build(node: unknown, lineAbove: number, depth: number): Node {
    const line = this.#lineOf(node, lineAbove);
    if (depth > DEPTH_MAX) {
      const message = `${this.#file}:${line}: more than ${DEPTH_MAX} levels deep`;
      throw new ReplicationError('CONFIG_INVALID', message);
    }
    this.#nodes += 1;
    if (this.#nodes > NODES_MAX) {
      const message = `${this.#file}:${line}: more than ${NODES_MAX} values, with those of aliases`;
      throw new ReplicationError('CONFIG_INVALID', message);
    }
    if (isAlias(node)) return this.build(node.resolve(this.#document), line, depth + 1);
    if (isMap(node)) return { kind: 'map', line, entries: this.#entries(node, line, depth) };
    if (isSeq(node)) {
      return { kind: 'list', line, items: node.items.map((at) => this.build(at, line, depth + 1)) };
    }
    if (!isScalar(node)) return { kind: 'nothing', line };
    const style = node.type === 'PLAIN' ? 'plain' : 'quoted';
    const source = style === 'plain' ? (node.source ?? '') : String(node.value);
    const text = this.#fill(source, line);
    // A variable that stands for nothing makes a key without a value, as in Litestream.
    const isNothing = style === 'plain' ? /^(|~|null|Null|NULL)$/.test(text) : text === '';
    return isNothing ? { kind: 'nothing', line } : { kind: 'text', line, text, style };
  }

  #entries(map: YAMLMap, line: number, depth: number): Map<string, Entry> {
    const merged = new Map<string, Entry>();
    const own = new Map<string, Entry>();
    for (const { key, value } of map.items as readonly Pair[]) {
      const keyLine = this.#lineOf(key, line);
      const isPlain = isScalar(key) && key.type === 'PLAIN';
      const name = isPlain ? (key.source ?? '') : String(isScalar(key) ? key.value : key);
      if (name === '<<') {
        for (const [inner, entry] of this.#toMerge(value, keyLine, depth)) {
          if (!merged.has(inner)) merged.set(inner, entry);
        }
      } else {
        const filled = this.#fill(name, keyLine);
        own.set(filled, { line: keyLine, value: this.build(value, keyLine, depth + 1) });
      }
    }
    return new Map([...merged, ...own]);
  }

  /** `<<: *one`, or `<<: [*one, *two]`, of which the first wins. */
  #toMerge(value: unknown, line: number, depth: number): [string, Entry][] {
    const node = this.build(value, line, depth + 1);
    const maps = node.kind === 'list' ? node.items : [node];
    return maps.flatMap((map) => (map.kind === 'map' ? [...map.entries] : []));
  }

  #lineOf(node: unknown, lineAbove: number): number {
    const range = (node as { range?: readonly [number, number, number] | null } | null)?.range;
    return range ? this.#lineAt(range[0]) : lineAbove;
  }
}

/** The line of what `path` leads to, or of the nearest thing above it. */
export function lineOf(root: Node, path: readonly (string | number)[]): number {
  let node: Node | undefined = root;
  let { line } = root;
  for (const step of path) {
    if (node?.kind === 'map') {
      const entry: Entry | undefined = node.entries.get(String(step));
      node = entry?.value;
      line = entry?.line ?? line;
    } else if (node?.kind === 'list') {
      node = node.items[Number(step)];
      line = node?.line ?? line;
    } else return line;
  }
  return line;
}
