/** Reads the encryption of a destination: `encryption`, or `age` as in Litestream 0.3. */

import { parseIdentities, problemWithRecipient } from '@sluice/core';
import { isError, messageOf } from '@sluice/core/backend';
import type { Secrets } from '../secrets.ts';
import type { Environment } from '../shell.ts';
import type { EncryptionConfig } from './model.ts';
import { spell, type Path, type Problems } from './problems.ts';
import type { ReplicaSection } from './schema.ts';
import { readSecretFile, valueOf } from './variables.ts';

const IDENTITY_VARIABLE = 'SLUICE_AGE_IDENTITY';

export interface EncryptionContext {
  readonly problems: Problems;
  readonly secrets: Secrets;
  readonly environment: Environment;
}

/** Undefined without encryption. Adds problems; a recipient that cannot be used is one. */
export async function readEncryption(
  { encryption, age }: Pick<ReplicaSection, 'encryption' | 'age'>,
  path: Path,
  { problems, secrets, environment }: EncryptionContext,
): Promise<EncryptionConfig | undefined> {
  if (encryption === undefined && age === undefined) return undefined;
  const section = encryption === undefined ? 'age' : 'encryption';
  const at = [...path, section];
  const add = (where: Path, what: string): void => problems.add(where, `${spell(where)}: ${what}`);
  if (encryption !== undefined && age !== undefined) {
    add([...path, 'age'], 'age and encryption cannot be used together: remove age');
    return undefined;
  }
  const given = encryption ?? age;
  const identities = [...(given?.identities ?? [])];
  for (const identity of identities) secrets.add(identity);
  try {
    identities.push(...identitiesOfEnvironment(environment, secrets));
    const file = encryption?.['recipients-file'];
    const recipients = [
      ...(given?.recipients ?? []),
      ...(file === undefined ? [] : parseIdentities(readSecretFile(file, 'recipients-file'))),
    ];
    // Litestream 0.3 takes empty lists for none.
    if (section === 'age' && recipients.length + (age?.identities ?? []).length === 0)
      return undefined;
    if (recipients.length === 0) {
      add(at, 'recipients is missing: without them files would not be encrypted');
    }
    for (const recipient of recipients) {
      const problem = await problemWithRecipient(recipient);
      if (problem !== undefined) add([...at, 'recipients'], problem);
    }
    return {
      recipients,
      identities,
      identityFile: encryption?.['identity-file'],
      identityCommand: encryption?.['identity-command'],
    };
  } catch (error) {
    if (!isError(error, 'CONFIG_INVALID')) throw error;
    add(at, messageOf(error));
    return undefined;
  }
}

/** The private keys in SLUICE_AGE_IDENTITY, or in the file that SLUICE_AGE_IDENTITY_FILE names. */
export function identitiesOfEnvironment(environment: Environment, secrets: Secrets): string[] {
  const identities = parseIdentities(valueOf(IDENTITY_VARIABLE, environment) ?? '');
  for (const identity of identities) secrets.add(identity);
  return identities;
}
