/** Turns the text of a configuration of Litestream into that of a configuration of Sluice. Reads and writes nothing. */

import { OWN_TYPES } from '../backends.ts';
import type { Config } from '../config/model.ts';
import type { ReadOptions } from '../config/read.ts';
import { VariablesOfFile } from '../config/variables.ts';
import { loadBackend } from '../load-backend.ts';
import { planMigration, type KeyRow, type SecretFile } from './keys.ts';
import { kindOf, secretKeysOf } from './kind.ts';
import { SourceFile } from './source-file.ts';

export interface Migrated {
  readonly rows: readonly KeyRow[];
  readonly text: string;
  /** The same with the secrets in it, which can be read before their files exist. Never written or printed. */
  readonly verifiable: string;
  readonly secretFiles: readonly SecretFile[];
}

/** `config` is what `written` was read to. CONFIG_INVALID for a URL whose secrets cannot be found. */
export async function migrateText(
  written: string,
  { items }: Config,
  { source, folder, environment, variables: mode }: ReadOptions,
  secretsFolder: string,
): Promise<Migrated> {
  const variables = new VariablesOfFile(written, source, mode, environment);
  const file = new SourceFile(variables);
  const kinds = items.map(({ destinations }) => destinations.map(kindOf));
  const own = await Promise.all(OWN_TYPES.map((type) => loadBackend(type, folder)));
  const plan = planMigration({
    root: file.root,
    kinds,
    secretKeys: new Set(
      [...own.map(secretKeysOf), ...kinds.flat().map((kind) => kind.secretKeys)].flatMap((keys) => [
        ...keys,
      ]),
    ),
    secretsFolder,
    quote: (text) => (mode === 'leave' ? text : withoutVariables(text)),
    literal: (marked) =>
      variables.hasVariable(marked) ? undefined : variables.fillIn(marked, { line: 0, key: '' }),
  });
  // A file that was read without variables may contain dollar signs.
  const finish = (text: string): string => (mode === 'leave' ? withoutVariables(text) : text);
  return {
    rows: plan.rows,
    text: finish(file.edited([...plan.edits, ...plan.secretEdits, ...plan.lists])),
    verifiable: finish(file.edited([...plan.edits, ...plan.lists])),
    secretFiles: plan.secretFiles,
  };
}

function withoutVariables(text: string): string {
  return text.replaceAll('$', '$$$$');
}
