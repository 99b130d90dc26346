/** Everything that is wrong with a configuration, collected, and said at once. */

import { ReplicationError, type ConfigIssue } from '@sluice/core/backend';
import { lineOf, type Node } from './document.ts';

export type Path = readonly (string | number)[];

export class Issues {
  readonly #found: ConfigIssue[] = [];

  add(path: Path, message: string): void {
    this.#found.push({ path, message });
  }

  get all(): readonly ConfigIssue[] {
    return this.#found;
  }

  /** CONFIG_INVALID with a line for each, in the order of the file. A command line has no lines. */
  throwAny(root: Node, source: string, lined: 'lines' | 'no-lines'): void {
    if (this.#found.length === 0) return;
    const placed = this.#found
      .map((issue) => ({ issue, line: lineOf(root, issue.path) }))
      .sort((a, b) => a.line - b.line);
    const lines = placed.map(({ issue, line }) =>
      lined === 'lines' ? `${source}:${line}: ${issue.message}` : `${source}: ${issue.message}`,
    );
    const count = lines.length === 1 ? 'a problem' : `${lines.length} problems`;
    throw new ReplicationError('CONFIG_INVALID', `${source} has ${count}:\n${lines.join('\n')}`, {
      issues: placed.map(({ issue }) => issue),
    });
  }
}

/** dbs[0].replicas[1].bucket */
export function spell(path: Path): string {
  return path
    .map((step, index) =>
      typeof step === 'number' ? `[${step}]` : index === 0 ? step : `.${step}`,
    )
    .join('');
}
