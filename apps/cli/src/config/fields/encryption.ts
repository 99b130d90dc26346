/** The keys of age: `encryption`, or `age` as in Litestream 0.3. */

import { field, filePath, Invalid, text, type ConfigField } from '@sluice/core/backend/config';
import { z } from 'zod';
import { problemWithCommand } from './command-line.ts';

const words = (
  help: string,
  example: string,
  secrecy: 'secret' | 'public' = 'public',
): ConfigField<readonly string[]> =>
  field(
    {
      type: 'array',
      items: { type: 'string' },
      description: help,
      examples: [[example]],
      ...(secrecy === 'secret' && { writeOnly: true }),
    },
    (value) =>
      Array.isArray(value) && value.every((item) => typeof item === 'string' && item.trim() !== '')
        ? value.map((item: string) => item.trim())
        : new Invalid('must be a list of keys'),
  );

const EXAMPLE_RECIPIENT = 'age1yce5y72ejzvh6cwwctdlj2fz5f3adc7k3wqpkt2guqmvuecyddtswjdyft';
const EXAMPLE_IDENTITY =
  'AGE-SECRET-KEY-16YSS0VFVXUD7PJMHYCC0DJ08VT0J8MU3R9E9U05NW37NZGKGARKQ5U5HV7';
const AGE_KEYS = {
  recipients: words('public keys: every file is encrypted for all of them', EXAMPLE_RECIPIENT),
  identities: words('private keys, to read; better in identity-file', EXAMPLE_IDENTITY, 'secret'),
};

/** Of a destination, or at the top level for all of them. */
export const ENCRYPTION = {
  encryption: z
    .strictObject({
      recipients: AGE_KEYS.recipients.optional(),
      'recipients-file': filePath('a file with more of them, one a line', {
        example: '/etc/sluice/recipients.txt',
      }).optional(),
      identities: AGE_KEYS.identities.optional(),
      'identity-file': filePath(
        'a file with private keys, one a line; only read when an encrypted file is read',
        { example: '/etc/sluice/identity.txt' },
      ).optional(),
      'identity-command': text('a command that prints them; only run then', {
        example: 'pass show backup-key',
        check: problemWithCommand,
      }).optional(),
    })
    .optional(),
  age: z
    .strictObject({
      recipients: AGE_KEYS.recipients.optional(),
      identities: AGE_KEYS.identities.optional(),
    })
    .optional(),
};
