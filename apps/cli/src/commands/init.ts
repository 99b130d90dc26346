/** sluice init: writes a first sluice.yml, and files that run Sluice as a service, for the given database and URLs, the answers on a terminal, or with placeholders. */

import fs from 'node:fs';
import path from 'node:path';
import { isSea } from 'node:sea';
import { fileURLToPath } from 'node:url';
import { messageOf } from '@sluice/core';
import { usageError, type Arguments } from '../args.ts';
import type { DestinationConfig } from '../config/model.ts';
import { readCommandLine } from '../config/read.ts';
import { EXIT_CODES } from '../exit-codes.ts';
import { renderCompose } from '../packaging/compose.ts';
import { renderConfiguration } from '../packaging/configuration.ts';
import {
  credentialsOf,
  DEFAULT_ACCOUNT,
  foldersOf,
  ownerOf,
  parseAccount,
  type Account,
  type Deployment,
} from '../packaging/deployment.ts';
import { renderKamal } from '../packaging/kamal.ts';
import { renderKubernetes } from '../packaging/kubernetes.ts';
import { ask, type Answers } from '../packaging/questions.ts';
import { renderUnit } from '../packaging/systemd.ts';
import { printJSON, type Shell } from '../shell.ts';
import { readVersion } from '../version.ts';
import { writeTextFile } from '../write-file.ts';

const PLACEHOLDERS = { database: '/data/app.db', urls: ['file:///mnt/backup/app.db'], kinds: [] };
const READABLE = 0o644;
const PRIVATE = 0o600;

interface Kind {
  readonly file: string;
  readonly render: (deployment: Deployment) => string;
  readonly mode: number;
}

/** By the name of the flag. */
const KINDS: Readonly<Record<string, Kind>> = {
  systemd: { file: 'sluice.service', render: renderUnit, mode: READABLE },
  compose: { file: 'sluice.compose.yml', render: renderCompose, mode: READABLE },
  // It contains the configuration.
  k8s: { file: 'sluice.k8s.yaml', render: renderKubernetes, mode: PRIVATE },
  kamal: { file: 'sluice.kamal.yml', render: renderKamal, mode: READABLE },
};

interface OutputFile {
  readonly file: string;
  readonly text: string;
  readonly mode: number;
  /** If root writes it: the user that reads it. */
  readonly owner?: Account | undefined;
}

interface Rendered {
  /** The configuration comes first. */
  readonly files: readonly OutputFile[];
  /** Folders that the service needs, and that do not exist. */
  readonly missing: readonly string[];
}

export async function run(args: Arguments, shell: Shell): Promise<number> {
  const config = args.text('o') ?? 'sluice.yml';
  const answers = await answersFor(args, shell);
  const { files, missing } = await render(answers, path.resolve(config), args, shell);
  write(files, args);
  const names = files.map(({ file }) => file);
  const shown = [
    config,
    ...names.slice(1).map((file) => path.join(path.dirname(config), path.basename(file))),
  ];
  if (args.has('json')) {
    printJSON(shell, { file: names[0], files: names });
    return EXIT_CODES.ok;
  }
  const written = shown.length === 1 ? 'was written' : 'were written';
  shell.stdout.write(`${listOf(shown)} ${written}. ${nextSteps(config)}\n`);
  if (missing.length > 0) {
    shell.stdout.write(`Before you start the service, create ${listOf(missing)}\n`);
  }
  return EXIT_CODES.ok;
}

async function answersFor(args: Arguments, shell: Shell): Promise<Answers> {
  const { terminal: input, stdout: output, environment, secrets } = shell;
  const [given, ...urls] = args.positionals;
  const kinds = Object.keys(KINDS);
  if (given === undefined) {
    if (input === undefined || args.has('json')) return PLACEHOLDERS;
    const checkURL = (database: string, url: string): Promise<unknown> =>
      readCommandLine(path.resolve(database), [url], { environment, secrets });
    const answers = await ask({ input, output }, { kinds, checkURL });
    if (answers === undefined) throw usageError(args.command, 'no answer: nothing was written');
    return answers;
  }
  if (urls.length === 0) {
    throw usageError(args.command, `no destination: write "sluice init ${given} URL"`);
  }
  return { database: given, urls, kinds: [] };
}

/** CONFIG_INVALID for a URL that a configuration would not accept. */
async function render(
  { database: given, urls, kinds }: Answers,
  config: string,
  args: Arguments,
  { environment, secrets }: Shell,
): Promise<Rendered> {
  const database = path.resolve(given);
  const read = await readCommandLine(database, urls, { environment, secrets });
  const destinations = read.databases.flatMap((each) => each.destinations);
  const isFolder = fs.statSync(database, { throwIfNoEntry: false })?.isDirectory() === true;
  const configText = renderConfiguration(database, urls, isFolder ? 'folder' : 'database');
  const chosen = Object.entries(KINDS).filter(([kind]) => kinds.includes(kind) || args.has(kind));
  const file = { file: config, text: configText, mode: PRIVATE };
  if (chosen.length === 0) return { files: [file], missing: [] };
  if (isFolder && chosen.some(([kind]) => kind === 'k8s')) {
    const why = 'a pod restores one database before it starts, but this is a folder';
    throw usageError(args.command, `-k8s: ${why}; name a database`);
  }
  const data = isFolder ? database : path.dirname(database);
  const known = { database, config, configText, destinations, data };
  const deployment = await deploymentOf(known, args);
  const others = chosen.map(([, { file, render, mode }]) => ({
    file: path.join(path.dirname(config), file),
    text: render(deployment),
    mode,
  }));
  const isHere = chosen.some(([kind]) => kind === 'systemd' || kind === 'compose');
  const missing = deployment.folders.filter((folder) => isHere && !fs.existsSync(folder));
  return { files: [{ ...file, owner: deployment.account }, ...others], missing };
}

interface Known {
  readonly database: string;
  readonly config: string;
  readonly configText: string;
  readonly destinations: readonly DestinationConfig[];
  /** The folder of the databases. */
  readonly data: string;
}

async function deploymentOf(
  { destinations, data, ...known }: Known,
  args: Arguments,
): Promise<Deployment> {
  return {
    ...known,
    folders: foldersOf(data, destinations),
    credentials: credentialsOf(destinations),
    account: accountFor(known.database, args),
    image: args.text('image') ?? `sluice:${await readVersion()}`,
    program: programOf(),
  };
}

function accountFor(database: string, args: Arguments): Account {
  const user = args.text('user');
  if (user === undefined) return ownerOf(database) ?? DEFAULT_ACCOUNT;
  const account = parseAccount(user);
  if (account !== undefined) return account;
  throw usageError(args.command, `-user ${user}: there is no such user here; write UID:GID`);
}

/** How this tool is installed: packages, or a single executable file. */
function programOf(): string[] {
  if (isSea()) return [process.execPath];
  const main = new URL(`../main${path.extname(import.meta.url)}`, import.meta.url);
  return [process.execPath, fileURLToPath(main)];
}

function write(files: readonly OutputFile[], args: Arguments): void {
  const ifExists = args.has('force') ? 'replace' : 'refuse';
  const existing = files.find(({ file }) => ifExists === 'refuse' && fs.existsSync(file));
  // Before anything is written.
  if (existing !== undefined) throw cannotWrite(existing.file, new ExistsError(), args);
  for (const { file, text, mode, owner } of files) {
    try {
      writeTextFile(file, text, ifExists, mode);
      if (owner !== undefined && process.geteuid?.() === 0) {
        fs.chownSync(file, owner.uid, owner.gid);
      }
    } catch (error) {
      throw cannotWrite(file, error, args);
    }
  }
}

class ExistsError extends Error {
  readonly code = 'EEXIST';
}

function cannotWrite(file: string, error: unknown, args: Arguments): Error {
  return usageError(args.command, `write ${file}: ${hintOf(error)}`);
}

function hintOf(error: unknown): string {
  const { code } = error as NodeJS.ErrnoException;
  if (code === 'EEXIST') {
    return 'it exists already; edit it, choose another file with -o, or replace it with -force';
  }
  return `${messageOf(error)}; choose another file with -o`;
}

function listOf(names: readonly string[]): string {
  const last = names.at(-1) ?? '';
  return names.length < 2 ? last : `${names.slice(0, -1).join(', ')} and ${last}`;
}

function nextSteps(file: string): string {
  const config = file === 'sluice.yml' ? '' : ` -config ${file}`;
  const commands = ['config check', 'check', 'replicate'].map(
    (name) => `"sluice ${name}${config}"`,
  );
  return `Edit ${file}, then run ${commands.slice(0, -1).join(', ')} and ${commands.at(-1)}`;
}
