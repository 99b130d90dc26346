/** Collects all problems of a configuration, to report them together. */

import { ReplicationError, type ConfigIssue } from '@sluice/core/backend';

export type Path = readonly (string | number)[];

/** One problem, as `config check -json` prints it. */
export interface Problem extends ConfigIssue {
  /** Undefined for a command line. */
  readonly line?: number | undefined;
}

export class Problems {
  readonly #found: Problem[] = [];

  /** `line` is that of the path if not given. */
  add(path: Path, message: string, line?: number): void {
    this.#found.push({ path, message, line });
  }

  /** Issues of the section at `path`. */
  addAll(path: Path, issues: readonly ConfigIssue[]): void {
    const where = path.length === 0 ? '' : `${spell(path)}: `;
    for (const issue of issues) this.add([...path, ...issue.path], where + issue.message);
  }

  get count(): number {
    return this.#found.length;
  }

  /**
   * Throws CONFIG_INVALID with one line per problem, in the order of the file. `lineOf` is undefined for a
   * command line.
   */
  throwAny(source: string, lineOf: ((path: Path) => number) | undefined): void {
    if (this.#found.length === 0) return;
    const problems = this.#found
      .map((issue): Problem => ({ ...issue, line: issue.line ?? lineOf?.(issue.path) }))
      .sort((a, b) => (a.line ?? 0) - (b.line ?? 0));
    const lines = problems.map(({ line, message }) =>
      line === undefined ? `${source}: ${message}` : `${source}:${line}: ${message}`,
    );
    const count = lines.length === 1 ? '1 problem' : `${lines.length} problems`;
    throw new ReplicationError('CONFIG_INVALID', `${source} has ${count}:\n${lines.join('\n')}`, {
      issues: problems,
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
