/** The encryption of a destination, with its private keys: read from a file or a command when they are needed. */

import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { Encryption, parseIdentities } from '@sluice/core';
import { messageOf, ReplicationError } from '@sluice/core/backend';
import type { EncryptionConfig } from './config/model.ts';
import { readTextFile } from './read-file.ts';
import { splitWords } from './shell-words.ts';

/** Time for a command to print the keys. It may ask a person, but not by its standard input. */
const COMMAND_MS_MAX = 120_000;

export function toEncryption(config: EncryptionConfig | undefined): Encryption | undefined {
  if (config === undefined) return undefined;
  const { recipients } = config;
  return new Encryption({ recipients, identities: async () => await readIdentities(config) });
}

/** All private keys that can be read. REPLICA_NO_IDENTITY if there are none because one source failed. */
async function readIdentities({
  identities,
  identityFile,
  identityCommand,
}: EncryptionConfig): Promise<readonly string[]> {
  const sources = [
    ...(identityFile === undefined ? [] : [fromFile(identityFile)]),
    ...(identityCommand === undefined ? [] : [fromCommand(identityCommand)]),
  ];
  const read = await Promise.allSettled(sources);
  const found = [
    ...identities,
    ...read.flatMap((each) => (each.status === 'fulfilled' ? each.value : [])),
  ];
  const failure = read.find((each) => each.status === 'rejected');
  if (found.length === 0 && failure !== undefined) throw failure.reason;
  return found;
}

async function fromFile(file: string): Promise<string[]> {
  try {
    return parseIdentities(readTextFile(file));
  } catch (error) {
    throw noIdentity(
      `read the identity file ${file}`,
      error,
      'check identity-file and its permissions',
    );
  }
}

async function fromCommand(command: string): Promise<string[]> {
  const [file = '', ...args] = splitWords(command);
  try {
    return parseIdentities(await outputOf(file, args));
  } catch (error) {
    throw noIdentity(`run identity-command (${file})`, error, 'run it by hand as this user');
  }
}

/** The command ends in time, and with this process, whatever it does. */
async function outputOf(file: string, args: readonly string[]): Promise<string> {
  const limits = { timeout: COMMAND_MS_MAX, killSignal: 'SIGKILL' } as const;
  const running = promisify(execFile)(file, args, limits);
  const { child } = running;
  const kill = (): void => void child.kill('SIGKILL');
  child.stdin?.on('error', () => undefined); // it may have ended
  child.stdin?.end();
  process.once('exit', kill);
  try {
    return (await running).stdout;
  } finally {
    process.off('exit', kill);
  }
}

function noIdentity(did: string, error: unknown, next: string): ReplicationError {
  // The output of a command may be a private key: only the first line of its error is shown.
  const [why] = messageOf(error).split('\n');
  return new ReplicationError('REPLICA_NO_IDENTITY', `${did}: no identity: ${why}; ${next}`, {
    cause: error,
  });
}
