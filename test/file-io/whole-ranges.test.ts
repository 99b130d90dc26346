/** All reads and writes of open files go through core's file-io, which handles short counts. */

import fs from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';

const ROOT = path.resolve(import.meta.dirname, '..', '..');
const HELPER = 'packages/core/src/file-io.ts';

/** Calls that may handle fewer bytes than requested, or that hide such calls. */
const DIRECT_CALLS: readonly RegExp[] = [
  /\b(?:readSync|readvSync|writeSync|writevSync|writeFileSync|appendFileSync|appendFile)\b/,
  /\bfs\.(?:read|write|readv|writev|writeFile)\b/,
  /\b(?:file|handle)\.(?:read|write|readv|writev|writeFile|createWriteStream)\(/,
  /\b(?:createWriteStream|writeFile|writev|readv)\b.*from 'node:fs/,
];

function sourcesBelow(folder: string): string[] {
  return fs.readdirSync(path.join(ROOT, folder)).flatMap((name) => {
    const src = path.join(folder, name, 'src');
    if (!fs.existsSync(path.join(ROOT, src))) return [];
    const names = fs.readdirSync(path.join(ROOT, src), { recursive: true, encoding: 'utf8' });
    return names.filter((each) => each.endsWith('.ts')).map((each) => path.join(src, each));
  });
}

/** Files that use a backend's folder handle, whose own `read` returns chunks. */
const OTHER_HANDLES: readonly string[] = [
  'packages/core/src/store/folder/guard.ts',
  'packages/core/src/store/folder/reader.ts',
];

test('files are read and written only through the helper that handles short counts', () => {
  const sources = [...sourcesBelow('packages'), ...sourcesBelow('apps')];
  expect(sources).toContain(HELPER);
  const direct = sources
    .filter((source) => source !== HELPER && !OTHER_HANDLES.includes(source))
    .flatMap((source) => {
      const lines = fs.readFileSync(path.join(ROOT, source), 'utf8').split('\n');
      return lines
        .map((line, index) => ({ line: line.trim(), where: `${source}:${index + 1}` }))
        .filter(({ line }) => DIRECT_CALLS.some((call) => call.test(line)))
        .map(({ line, where }) => `${where} ${line}`);
    });
  expect(direct).toEqual([]);
});
