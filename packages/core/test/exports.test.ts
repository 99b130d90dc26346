/** Every name that the package exports has a docstring, which editors show. */

import fs from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';

const SRC = path.resolve(import.meta.dirname, '../src');
const { exports: entries } = JSON.parse(
  fs.readFileSync(path.join(SRC, '../package.json'), 'utf8'),
) as { exports: Record<string, { default: string }> };

interface Export {
  readonly name: string;
  readonly file: string;
}

/** What `export { a, type B as C } from './x.ts'` takes from other files. */
function reexportsOf(file: string): (Export & { readonly as: string })[] {
  const source = fs.readFileSync(file, 'utf8').replaceAll(/\/\*.*?\*\//gs, '');
  return [...source.matchAll(/^export (?:type )?\{([^}]*)\} from '(\.[^']+)'/gm)].flatMap(
    ([, names = '', from = '']) =>
      names
        .split(',')
        .map((each) => each.trim().replace(/^type /, ''))
        .filter((each) => each !== '')
        .map((each) => {
          const [name = '', as = name] = each.split(' as ');
          return { name, as, file: path.resolve(path.dirname(file), from) };
        }),
  );
}

/** Follows re-exports. Returns the line before the declaration, without white space around it. */
function lineBefore({ name, file }: Export): string {
  const source = fs.readFileSync(file, 'utf8');
  const declared = new RegExp(
    `^export (?:abstract )?(?:async )?(?:function\\*?|class|interface|type|const) ${name}\\b`,
    'm',
  ).exec(source);
  if (declared !== null) return source.slice(0, declared.index).trim().split('\n').at(-1) ?? '';
  const next = reexportsOf(file).find(({ as }) => as === name);
  if (next === undefined) throw new Error(`${file} has no ${name}`);
  return lineBefore(next);
}

test.each(Object.entries(entries))('every name of %s has a docstring', (_, { default: built }) => {
  const entry = path.join(SRC, path.basename(built).replace(/\.js$/, '.ts'));
  const names = reexportsOf(entry);
  expect(names.length).toBeGreaterThan(0);
  const bare = names.filter((each) => !lineBefore(each).endsWith('*/'));
  expect(bare.map(({ as }) => as)).toEqual([]);
});
