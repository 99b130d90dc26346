/** What `sluice init` writes, into a temporary folder. */

import fs from 'node:fs';
import path from 'node:path';
import { parseAllDocuments } from 'yaml';
import { sluice } from '../../../apps/cli/test/support/shell.ts';
import { temporaryFolder } from '../../support/temporary.ts';

export interface Written {
  readonly folder: string;
  /** Text of a file by its name. */
  readonly text: (name: string) => string;
}

/** Fails if the command does. */
export async function init(words: readonly string[]): Promise<Written> {
  const folder = temporaryFolder('init');
  const { code, stderr } = await sluice(['init', '-o', path.join(folder, 'sluice.yml'), ...words]);
  if (code !== 0) throw new Error(`sluice init exited with ${code}: ${stderr}`);
  return { folder, text: (name) => fs.readFileSync(path.join(folder, name), 'utf8') };
}

/** The documents of a YAML file, read as Kubernetes reads it. */
export function documentsOf(text: string): Manifest[] {
  return parseAllDocuments(text, { version: '1.1' }).map((document) => {
    const [error] = document.errors;
    if (error !== undefined) throw error;
    return document.toJS() as Manifest;
  });
}

export interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string };
}
