/**
 * Parses YAML into plain maps, lists and strings, with their line numbers. Anchors, aliases and `<<` are
 * resolved. Scalars remain strings: the schema of their key interprets `0600`, `1e5`, `yes` or `2024-01-01`.
 * A key without a value is null.
 */

import {
  isAlias,
  isMap,
  isPair,
  isScalar,
  isSeq,
  LineCounter,
  parseDocument,
  visit,
  type Document,
  type Pair,
  type YAMLMap,
  type YAMLParseError,
} from 'yaml';
import { ReplicationError } from '@sluice/core/backend';
import type { Path } from './problems.ts';

/** Deeper than any configuration. Also stops an alias that contains itself. */
const DEPTH_MAX = 32;
/** More than any configuration. Limits aliases of aliases, which can expand a few lines to any number of values. */
const NODES_MAX = 200_000;

/** Expands the variables of a scalar. `key` is the nearest enclosing key. */
export type Fill = (text: string, at: { readonly line: number; readonly key: string }) => string;

export class YAMLFile {
  /** Maps, lists, strings and null. */
  readonly root: unknown;
  readonly #document: Document.Parsed;
  readonly #lines: LineCounter;

  /** CONFIG_INVALID with all syntax errors. */
  constructor(text: string, file: string, fill: Fill) {
    this.#lines = new LineCounter();
    this.#document = parseDocument(text, {
      schema: 'failsafe', // all scalars are strings
      merge: true,
      lineCounter: this.#lines,
      prettyErrors: false,
    });
    const { errors, contents } = this.#document;
    if (errors.length > 0) {
      const found = errors.map(
        (error) => `${file}:${this.#lineAt(error.pos[0])}: ${this.#describe(error)}`,
      );
      throw new ReplicationError('CONFIG_INVALID', `${file} is not YAML:\n${found.join('\n')}`);
    }
    this.#fillIn(fill);
    this.#checkSize(contents, file);
    this.root = this.#document.toJS({ maxAliasCount: -1 }); // the size is checked above
  }

  /** The line of the value at `path`, or of its nearest existing parent. */
  lineOf(path: Path): number {
    return this.#find(path).line;
  }

  /** Whether the value at `path` is an unquoted scalar. */
  isPlain(path: Path): boolean {
    const { node, found } = this.#find(path);
    return found === path.length && isScalar(node) && node.type === 'PLAIN';
  }

  #describe({ code, message, pos: [offset] }: YAMLParseError): string {
    if (code === 'MULTIPLE_DOCS') return 'there is more than one document (---)';
    return (code === 'DUPLICATE_KEY' ? this.#describeDuplicate(offset) : undefined) ?? message;
  }

  /** `offset`: of the second key. */
  #describeDuplicate(offset: number): string | undefined {
    let found: string | undefined;
    visit(this.#document, {
      Map: (_, { items }) => {
        const keys = items.flatMap(({ key }) => (isScalar(key) ? [key] : []));
        const second = keys.find(({ range }) => range?.[0] === offset);
        const first = keys.find(({ value }) => value === second?.value);
        if (first === undefined || second === undefined) return undefined;
        const line = this.#lineOfNode(first) ?? 1;
        found = `the key ${String(second.value)} is already in line ${line}: remove one of them`;
        return visit.BREAK;
      },
    });
    return found;
  }

  #fillIn(fill: Fill): void {
    visit(this.#document, {
      Scalar: (role, node, above) => {
        const isPlain = node.type === 'PLAIN';
        const pair = above.findLast((node) => isPair(node));
        const key = isScalar(pair?.key) ? String(pair.key.value) : '';
        const source = isPlain ? (node.source ?? '') : String(node.value);
        const text = fill(source, { line: this.#lineOfNode(node) ?? 1, key });
        // An empty variable results in a key without a value, as in Litestream.
        const isEmpty = isPlain ? /^(|~|null|Null|NULL)$/.test(text) : text === '';
        node.value = isEmpty && role !== 'key' ? null : text;
      },
    });
  }

  #checkSize(contents: unknown, file: string): void {
    let nodes = 0;
    const walk = (node: unknown, lineAbove: number, depth: number): void => {
      const line = this.#lineOfNode(node) ?? lineAbove;
      const refuse = (problem: string): never => {
        throw new ReplicationError('CONFIG_INVALID', `${file}:${line}: ${problem}`);
      };
      nodes += 1;
      if (depth > DEPTH_MAX) refuse(`more than ${DEPTH_MAX} levels deep`);
      if (nodes > NODES_MAX) refuse(`more than ${NODES_MAX} values, including aliases`);
      if (isAlias(node)) walk(node.resolve(this.#document), line, depth + 1);
      else if (isMap(node)) for (const { value } of node.items) walk(value, line, depth + 1);
      else if (isSeq(node)) for (const item of node.items) walk(item, line, depth + 1);
    };
    walk(contents, 1, 0);
  }

  #find(path: Path): { readonly node: unknown; readonly line: number; readonly found: number } {
    let node = this.#resolve(this.#document.contents);
    let line = this.#lineOfNode(node) ?? 1;
    for (const [index, step] of path.entries()) {
      if (isMap(node)) {
        const pair = this.#pairOf(node, String(step));
        if (pair === undefined) return { node, line, found: index };
        line = this.#lineOfNode(pair.key) ?? line;
        node = this.#resolve(pair.value);
      } else if (isSeq(node)) {
        const item: unknown = node.items[Number(step)];
        line = this.#lineOfNode(item) ?? line;
        node = this.#resolve(item);
      } else return { node, line, found: index };
    }
    return { node, line, found: path.length };
  }

  /** The pair of the map itself, otherwise of a map merged into it. */
  #pairOf(map: YAMLMap, key: string): Pair | undefined {
    const pairs = map.items as readonly Pair[];
    const named = (pair: Pair, name: string): boolean =>
      isScalar(pair.key) && pair.key.value === name;
    const own = pairs.find((pair) => named(pair, key));
    if (own !== undefined) return own;
    for (const merge of pairs.filter((pair) => named(pair, '<<'))) {
      const merged = this.#resolve(merge.value);
      for (const other of isSeq(merged) ? merged.items : [merged]) {
        const node = this.#resolve(other);
        const found = isMap(node) ? this.#pairOf(node, key) : undefined;
        if (found !== undefined) return found;
      }
    }
    return undefined;
  }

  #resolve(node: unknown): unknown {
    return isAlias(node) ? node.resolve(this.#document) : node;
  }

  #lineOfNode(node: unknown): number | undefined {
    const range = (node as { range?: readonly [number, number, number] | null } | null)?.range;
    return range ? this.#lineAt(range[0]) : undefined;
  }

  #lineAt(offset: number): number {
    return Math.max(1, this.#lines.linePos(offset).line);
  }
}
