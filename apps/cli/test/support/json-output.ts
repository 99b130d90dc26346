/** What any test has a command print with -json keeps to the published schema. */

import { findCommand } from '../../src/surface/commands.ts';
import { JSON_SCHEMAS, parseOutput } from '../docs/json-schemas.ts';

/** Throws if a line is not as the schema of the command says. */
export function checkOutput(words: readonly string[], stdout: string): void {
  const [name = ''] = words;
  const command = findCommand(name)?.aliasOf ?? name;
  const hasJSON = words.some((word) => /^--?json(=true)?$/.test(word)) && !words.includes('-help');
  if (!hasJSON || JSON_SCHEMAS[command] === undefined) return;
  for (const line of stdout.split('\n')) if (line !== '') parseOutput(command, line);
}
