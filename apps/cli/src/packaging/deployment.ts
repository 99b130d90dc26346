/**
 * What the files of `sluice init` say about one installation: which database, which folders Sluice writes to, as which
 * user it runs, and which credentials it reads from the environment.
 */

import fs from 'node:fs';
import path from 'node:path';
import type { DestinationConfig } from '../config/model.ts';

/** Numbers, because the user need not exist inside a container. */
export interface Account {
  readonly uid: number;
  readonly gid: number;
}

export interface Deployment {
  /** Absolute path of the database. */
  readonly database: string;
  /** Absolute path of the configuration on this machine. */
  readonly config: string;
  /** Text of the configuration. */
  readonly configText: string;
  /** Absolute paths of the folders that Sluice writes to. */
  readonly folders: readonly string[];
  /** Names of environment variables with credentials. */
  readonly credentials: readonly string[];
  /** The user that owns the database. */
  readonly account: Account;
  /** The image of Sluice, for containers. */
  readonly image: string;
  /** Words that start Sluice on this machine. */
  readonly program: readonly string[];
}

/** The first user that Linux systems create. */
export const DEFAULT_ACCOUNT: Account = { uid: 1000, gid: 1000 };

const CREDENTIALS: Readonly<Record<string, readonly string[]>> = {
  s3: ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY'],
  gs: ['GOOGLE_APPLICATION_CREDENTIALS'],
  abs: ['SLUICE_AZURE_ACCOUNT_KEY'],
};

export function credentialsOf(destinations: readonly DestinationConfig[]): string[] {
  return [...new Set(destinations.flatMap(({ type }) => CREDENTIALS[type] ?? []))];
}

/** The folder of the databases, and that of each destination that is a folder. */
export function foldersOf(data: string, destinations: readonly DestinationConfig[]): string[] {
  const local = destinations.filter(({ type }) => type === 'file').map((each) => each.path);
  return [...new Set([data, ...local.map(parentOf)])];
}

/** Sluice creates the folder of a destination, so its parent is needed. The root is never mounted. */
function parentOf(folder: string): string {
  const parent = path.dirname(folder);
  return parent === path.parse(folder).root ? folder : parent;
}

/** The owner of the database, or of its folder; undefined if neither exists. */
export function ownerOf(database: string): Account | undefined {
  const stat = [database, path.dirname(database)]
    .map((file) => fs.statSync(file, { throwIfNoEntry: false }))
    .find((each) => each !== undefined);
  return stat && { uid: stat.uid, gid: stat.gid };
}

/** Parses `UID:GID`, `UID`, or a name of /etc/passwd; undefined if it is none of them. */
export function parseAccount(text: string): Account | undefined {
  const [, uid, gid] = /^(\d+)(?::(\d+))?$/.exec(text) ?? [];
  if (uid !== undefined) return { uid: Number(uid), gid: Number(gid ?? uid) };
  const line = readAccounts().find((each) => each.startsWith(`${text}:`));
  const [, , number, group] = line?.split(':') ?? [];
  return number === undefined ? undefined : { uid: Number(number), gid: Number(group) };
}

/** Lines of `name:password:uid:gid:…`. */
function readAccounts(): string[] {
  try {
    return fs.readFileSync('/etc/passwd', 'utf8').split('\n');
  } catch {
    return []; // not Unix
  }
}

/** A name for Kubernetes, from the name of the database: lower case, digits and dashes. */
export function nameOf(database: string): string {
  const name = path
    .basename(database, path.extname(database))
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .replaceAll(/^[^a-z]+|-+$/g, '')
    .slice(0, 40);
  return name === '' ? 'app' : name;
}

/** A YAML string. */
export function quote(text: string): string {
  return /^[\w/][\w/.=@%+-]*(:[\w/.=@%+-]+)*$/.test(text) && !/^[\d.]+$/.test(text)
    ? text
    : JSON.stringify(text);
}
