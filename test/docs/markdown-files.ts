/** The Markdown files of the repository that people read. */

import fs from 'node:fs';
import path from 'node:path';

export const ROOT = path.resolve(import.meta.dirname, '..', '..');
const FOLDERS = ['docs', 'packages', 'apps', 'examples', 'test', 'alerts', 'packaging'];
const UNUSED = /^(?:node_modules|dist|fixtures|\..+)$/;

/** Their paths, relative to the root of the repository. Without those that exist while the package is packed. */
export const MARKDOWN_FILES: readonly string[] = [
  ...fs.readdirSync(ROOT).filter((name) => name.endsWith('.md')),
  ...FOLDERS.flatMap((folder) => filesBelow(folder)),
].filter((name) => name.endsWith('.md') && !name.startsWith('apps/cli/docs/'));

function filesBelow(folder: string): string[] {
  return fs.readdirSync(path.join(ROOT, folder), { withFileTypes: true }).flatMap((entry) => {
    const name = `${folder}/${entry.name}`;
    if (entry.isDirectory()) return UNUSED.test(entry.name) ? [] : filesBelow(name);
    return entry.isFile() ? [name] : [];
  });
}

export function readFile(name: string): string {
  return fs.readFileSync(path.join(ROOT, name), 'utf8');
}
