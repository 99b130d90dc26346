/** Configurations as users of Litestream 0.3 and 0.5 write them. */

import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Environment } from '../../src/shell.ts';

const FOLDER = fileURLToPath(new URL('../../../../test/fixtures/litestream/', import.meta.url));

export const LITESTREAM_FILES = fs.readdirSync(FOLDER).filter((name) => name.endsWith('.yml'));

/** The variables that these files use. */
export const VARIABLES: Environment = {
  APP_KEY_ID: 'AKIAEXAMPLE',
  APP_SECRET_KEY: 'secret-of-the-environment',
  AZURE_SAS: 'sv=1&sig=c2ln',
};

export function litestreamFile(name: string): string {
  return fs.readFileSync(path.join(FOLDER, name), 'utf8');
}

/** The secrets that these files contain in clear. */
export const LITERAL_SECRETS = [
  'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY',
  'bm90LWEtcmVhbC1rZXk=',
  'pa55word',
];
