// Entry points for the API reference: one file for each entry of each published library, named like the import.

import fs from 'node:fs';
import path from 'node:path';
import { headingsOf, replaceLinks } from './markdown.mjs';
import { ROOT } from './root.mjs';

const LIBRARIES = ['core', 's3', 'gcs', 'azure', 'sftp', 'file', 'backend-test-kit'];

/** Writes the entry points and the settings of typedoc to `folder`. Returns the path of the settings. */
export function writeAPISettings(folder, out) {
  fs.rmSync(folder, { recursive: true, force: true });
  const entryPoints = LIBRARIES.flatMap((name) => entriesOf(path.join(ROOT, 'packages', name)));
  for (const { name, source } of entryPoints) {
    const file = path.join(folder, `${name}.ts`);
    fs.mkdirSync(path.dirname(file), { recursive: true });
    fs.writeFileSync(file, `export * from '${path.relative(path.dirname(file), source)}';\n`);
  }
  const files = entryPoints.map(({ name }) => `${name}.ts`);
  const write = (name, value) =>
    fs.writeFileSync(path.join(folder, name), `${JSON.stringify(value, null, 2)}\n`);
  write('tsconfig.json', {
    extends: path.join(ROOT, 'tsconfig.base.json'),
    compilerOptions: {
      noEmit: true,
      composite: false,
      declarationMap: false,
      sourceMap: false,
      isolatedDeclarations: false,
      rewriteRelativeImportExtensions: false,
      allowImportingTsExtensions: true,
      rootDir: ROOT,
      typeRoots: [path.join(ROOT, 'node_modules', '@types')],
    },
    files,
  });
  write('typedoc.json', {
    plugin: ['typedoc-plugin-markdown'],
    name: 'API',
    tsconfig: 'tsconfig.json',
    entryPoints: files,
    basePath: '.',
    out,
    entryFileName: 'index',
    router: 'module',
    readme: 'none',
    disableSources: true,
    excludePrivate: true,
    excludeInternal: true,
    hideGenerator: true,
    hideBreadcrumbs: true,
    hidePageHeader: true,
    useCodeBlocks: true,
    parametersFormat: 'table',
    interfacePropertiesFormat: 'table',
    typeDeclarationFormat: 'table',
    // The build of the packages checks them.
    skipErrorChecking: true,
    logLevel: 'Error',
  });
  return path.join(folder, 'typedoc.json');
}

/** typedoc numbers some anchors although there is one heading only: links to them lose the number. */
export function mendAnchors(folder) {
  for (const name of fs.readdirSync(folder, { recursive: true, encoding: 'utf8' })) {
    if (!name.endsWith('.md')) continue;
    const file = path.join(folder, name);
    const text = fs.readFileSync(file, 'utf8');
    const anchors = new Set(headingsOf(text).map(({ anchor }) => anchor));
    for (const [, id] of text.matchAll(/<a id="([\w-]+)">/g)) anchors.add(id);
    const mended = replaceLinks(text, (target) => {
      const [, anchor, plain] = /^#(([\w-]+)-\d+)$/.exec(target) ?? [];
      return anchor === undefined || anchors.has(anchor) || !anchors.has(plain)
        ? target
        : `#${plain}`;
    });
    fs.writeFileSync(file, mended);
  }
}

/** The entries of a package, and their sources. */
function entriesOf(folder) {
  const { name, exports } = JSON.parse(fs.readFileSync(path.join(folder, 'package.json'), 'utf8'));
  return Object.entries(exports).map(([entry, { types }]) => ({
    name: path.posix.join(name, entry),
    source: path.join(folder, types.replace('./dist/', 'src/').replace(/\.d\.ts$/, '.ts')),
  }));
}
