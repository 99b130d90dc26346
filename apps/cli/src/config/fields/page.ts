/** The section `page`: the page that the replicator serves at `addr`. */

import { ReplicationError } from '@sluice/core/backend';
import { boolean, filePath, secret, texts } from '@sluice/core/backend/config';
import { z } from 'zod';
import type { Secrets } from '../../secrets.ts';
import { readSecretFile } from '../variables.ts';

export interface PageConfig {
  /** undefined: on, if it needs no token or has one. */
  readonly enabled: boolean | undefined;
  /** From the configuration or its file, when it was read. */
  readonly token: string | undefined;
  /** Names of this site, beside addresses and localhost. */
  readonly hosts: readonly string[];
}

/** A shorter token could be guessed. */
const TOKEN_LENGTH_MIN = 16;

const problemWithToken = (token: string): string | undefined =>
  token.length < TOKEN_LENGTH_MIN
    ? `must have at least ${TOKEN_LENGTH_MIN} characters, such as those of: openssl rand -hex 16`
    : undefined;

export function pageSection() {
  return z
    .strictObject({
      enabled: boolean('serve the page at addr', {
        example: false,
        defaultText: 'true; false if addr is reachable from other machines and there is no token',
      }).optional(),
      token: secret(
        'allows restores, downloads and commands over HTTP; if addr is reachable from other machines, nothing can be read without it',
        { example: '5d41402abc4b2a76b9719d911017c592', check: problemWithToken },
      ).optional(),
      'token-file': filePath('a file with the token', {
        example: '/etc/sluice/page-token',
      }).optional(),
      hosts: texts('host names that the page is opened by; addresses and localhost always work', {
        example: 'backup.example.com',
      }).optional(),
    })
    .refine(
      (section) => section.token === undefined || section['token-file'] === undefined,
      'has token and token-file: choose one',
    )
    .prefault({});
}

/** CONFIG_INVALID if the file cannot be read, or has no valid token. */
export function readPage(
  section: z.output<ReturnType<typeof pageSection>>,
  secrets: Secrets,
): PageConfig {
  const file = section['token-file'];
  const token =
    file === undefined ? section.token?.reveal() : readSecretFile(file, 'page.token-file').trim();
  const problem = token === undefined ? undefined : problemWithToken(token);
  if (problem !== undefined) {
    throw new ReplicationError('CONFIG_INVALID', `${file} (page.token-file): the token ${problem}`);
  }
  if (token !== undefined) secrets.add(token);
  return { enabled: section.enabled, token, hosts: section.hosts ?? [] };
}
