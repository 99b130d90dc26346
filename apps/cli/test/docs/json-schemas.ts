/**
 * Schemas of the output of `-json` of each command. The files in apps/cli/schemas are written from this table; the
 * examples in docs/commands.md and what the commands print in tests keep to them.
 */

import fs from 'node:fs';
import { Ajv, type ValidateFunction } from 'ajv';
import { z } from 'zod';
import { SCHEMA_URL } from '../../src/config/schema-url.ts';
import { COMMANDS } from '../../src/surface/commands.ts';
import { CONTROL_SCHEMAS } from './outputs/control.ts';
import { PROOF_SCHEMAS } from './outputs/proofs.ts';
import { RESTORE_SCHEMAS } from './outputs/restore.ts';
import { STATUS_SCHEMAS } from './outputs/status.ts';

/** By the name of the command. */
export const JSON_SCHEMAS: Readonly<Record<string, z.ZodType>> = {
  ...CONTROL_SCHEMAS,
  ...PROOF_SCHEMAS,
  ...RESTORE_SCHEMAS,
  ...STATUS_SCHEMAS,
};

/** Commands that print JSON, without aliases. */
export const JSON_COMMANDS: readonly string[] = COMMANDS.filter(
  ({ name, aliasOf, support, flags }) =>
    support.kind !== 'refused' &&
    aliasOf === undefined &&
    (name === 'diagnose' || flags.some((flag) => flag.name === 'json')),
).map(({ name }) => name);

/** The published file: JSON Schema draft-07. It allows further keys, because later versions may add some. */
export function renderOutputSchema(command: string): string {
  const { $schema, ...schema } = z.toJSONSchema(schemaOf(command), {
    target: 'draft-07',
    override: ({ jsonSchema }) => {
      if (jsonSchema.additionalProperties === false) delete jsonSchema.additionalProperties;
    },
  });
  const head = {
    $schema,
    $id: new URL(`schemas/${command}.json`, SCHEMA_URL).href,
    title: `The output of sluice ${command} -json`,
  };
  return `${JSON.stringify({ ...head, ...schema }, undefined, 2)}\n`;
}

const validators = new Map<string, ValidateFunction>();

/** The published schema of a command, compiled. */
export function validatorOf(command: string): ValidateFunction {
  const known = validators.get(command);
  if (known !== undefined) return known;
  const file = new URL(`../../schemas/${command}.json`, import.meta.url);
  // `format` only repeats what a pattern demands.
  const ajv = new Ajv({ strict: true, validateFormats: false });
  const validate = ajv.compile(JSON.parse(fs.readFileSync(file, 'utf8')) as object);
  validators.set(command, validate);
  return validate;
}

/** The output of a command, checked: it keeps to the published schema, and has no key that the schema lacks. */
export function parseOutput(command: string, stdout: string): unknown {
  const output: unknown = JSON.parse(stdout);
  const validate = validatorOf(command);
  if (!validate(output)) {
    throw new Error(`${command}: ${JSON.stringify(validate.errors)} in ${stdout}`);
  }
  return schemaOf(command).parse(output);
}

function schemaOf(command: string): z.ZodType {
  const schema = JSON_SCHEMAS[command];
  if (schema === undefined) throw new Error(`JSON_SCHEMAS has nothing about ${command}`);
  return schema;
}
