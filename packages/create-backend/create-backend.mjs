#!/usr/bin/env node
// npm create @sluice/backend PACKAGE: a backend that passes the test kit, under a name of your own.
//   npm create @sluice/backend @acme/sluice-ftp      makes the folder sluice-ftp, with the scheme "ftp"
// It is examples/backend-http, which docs/write-a-backend.md explains; `prepack` copies it to template/.

import fs from 'node:fs';
import path from 'node:path';

const NAME = /^(?:@[a-z0-9][\w.-]*\/)?([a-z0-9][\w.-]*)$/;
const EXAMPLE_NAME = '@acme/sluice-http';
const PACKED = path.join(import.meta.dirname, 'template');
const EXAMPLE = path.join(import.meta.dirname, '..', '..', 'examples', 'backend-http');
const FILES = ['src', 'test', 'server.mjs', 'kit.mjs', 'package.json', 'tsconfig.json'];

const name = process.argv[2] ?? '';
const folder = NAME.exec(name)?.[1];
if (folder === undefined) fail('usage: npm create @sluice/backend PACKAGE, as in @acme/sluice-ftp');
if (fs.existsSync(folder)) fail(`${folder} is there already: choose another name, or remove it`);

const source = fs.existsSync(PACKED) ? PACKED : EXAMPLE;
for (const file of FILES) {
  fs.cpSync(path.join(source, file), path.join(folder, file), { recursive: true });
}
const scheme = folder.replace(/^sluice-/, '');
replaceIn('package.json', EXAMPLE_NAME, name);
replaceIn('src/index.ts', "scheme: 'http'", `scheme: '${scheme}'`);
fs.writeFileSync(path.join(folder, '.gitignore'), 'dist\nnode_modules\n');
console.log(`Made ${folder}. Next:
  cd ${folder} && npm install && npm test
It keeps files on a plain HTTP server (server.mjs). Replace the methods in src/index.ts by those of your place,
and the server in test/kit.test.ts by yours. The page: docs/write-a-backend.md of Sluice.`);

function replaceIn(file, from, to) {
  const place = path.join(folder, file);
  const text = fs.readFileSync(place, 'utf8');
  if (!text.includes(from)) fail(`${file} of the template does not have ${from}`);
  fs.writeFileSync(place, text.replace(from, to));
}

function fail(message) {
  console.error(message);
  process.exit(2);
}
