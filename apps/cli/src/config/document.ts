/** A YAML file as a value, with the line of everything in it. */

import { LineCounter, parseDocument, isNode } from 'yaml';
import { ReplicationError, type ConfigIssue } from '@sluice/core/backend';

export interface ConfigDocument {
  readonly value: unknown;
  /** "file:line" of what `path` leads to, or of the nearest thing above it. */
  where(path: readonly (string | number)[]): string;
}

/** CONFIG_INVALID with file and line where it is no YAML. */
export function parseYAML(text: string, file: string): ConfigDocument {
  const counter = new LineCounter();
  const document = parseDocument(text, { lineCounter: counter, prettyErrors: false });
  const lineAt = (offset: number): string => `${file}:${counter.linePos(offset).line}`;
  if (document.errors.length > 0) {
    const lines = document.errors.map((error) => `${lineAt(error.pos[0])}: ${error.message}`);
    throw new ReplicationError('CONFIG_INVALID', lines.join('\n'));
  }
  return {
    value: document.toJS() as unknown,
    where(path) {
      for (let length = path.length; length > 0; length--) {
        const node = document.getIn(path.slice(0, length), true);
        if (isNode(node) && node.range)
          return lineAt(keyOffset(document, path.slice(0, length), node.range[0]));
      }
      return file;
    },
  };
}

/** A map's value may begin on the line after its key: the key's own line is meant. */
function keyOffset(
  document: ReturnType<typeof parseDocument>,
  path: readonly (string | number)[],
  offset: number,
): number {
  const parent = path.length === 1 ? document.contents : document.getIn(path.slice(0, -1), true);
  const items = (parent as { items?: readonly unknown[] } | null)?.items ?? [];
  for (const item of items) {
    const key = (item as { key?: unknown }).key;
    if (isNode(key) && key.range && String(key) === String(path.at(-1))) return key.range[0];
  }
  return offset;
}

/** One error that lists all issues, each with its place. */
export function throwIssues(document: ConfigDocument, issues: readonly ConfigIssue[]): void {
  if (issues.length === 0) return;
  const lines = issues.map((issue) => `${document.where(issue.path)}: ${issue.message}`);
  throw new ReplicationError('CONFIG_INVALID', lines.join('\n'), { issues });
}
