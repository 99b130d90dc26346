#!/usr/bin/env node
// npm create @sluice/backend PACKAGE creates a backend with that name that passes the test kit.
//   npm create @sluice/backend @acme/sluice-ftp      creates the folder sluice-ftp, with the scheme "ftp"
// It is a copy of examples/backend-http, which docs/write-a-backend.md explains. `prepack` copies it to template/.

import fs from 'node:fs';
import path from 'node:path';

const NAME = /^(?:@[a-z0-9][\w.-]*\/)?([a-z0-9][\w.-]*)$/;
const EXAMPLE_NAME = '@acme/sluice-http';
const PACKED = path.join(import.meta.dirname, 'template');
const EXAMPLE = path.join(import.meta.dirname, '..', '..', 'examples', 'backend-http');
const FILES = ['src', 'test', 'server.mjs', 'kit.mjs', 'package.json', 'tsconfig.json'];

const name = process.argv[2] ?? '';
const folder = NAME.exec(name)?.[1];
if (folder === undefined)
  fail('usage: npm create @sluice/backend PACKAGE, such as @acme/sluice-ftp');
if (fs.existsSync(folder)) fail(`${folder} already exists: choose another name, or remove it`);

const source = fs.existsSync(PACKED) ? PACKED : EXAMPLE;
for (const file of FILES) {
  fs.cpSync(path.join(source, file), path.join(folder, file), { recursive: true });
}
const scheme = folder.replace(/^sluice-/, '');
replaceIn('package.json', EXAMPLE_NAME, name);
replaceIn('src/index.ts', "scheme: 'http'", `scheme: '${scheme}'`);
fs.writeFileSync(path.join(folder, '.gitignore'), 'dist\nnode_modules\n');
console.log(`Created ${folder}. Next:
  cd ${folder} && npm install && npm test
It stores files on a plain HTTP server (server.mjs). Replace the methods in src/index.ts with those for your storage,
and the server in test/kit.test.ts with yours. See docs/write-a-backend.md in the Sluice repository.`);

function replaceIn(file, from, to) {
  const target = path.join(folder, file);
  const text = fs.readFileSync(target, 'utf8');
  if (!text.includes(from)) fail(`${file} of the template does not contain ${from}`);
  fs.writeFileSync(target, text.replace(from, to));
}

function fail(message) {
  console.error(message);
  process.exit(2);
}
