/**
 * The login. Servers list the methods that can continue it, and may require several, one after
 * another: a key and then a password. After each successful step, methods that failed before may
 * succeed.
 *
 *  the server accepts        configured         sent
 *  (not known yet)           anything           none, to get the list
 *  publickey                 key-path           the key
 *                            an agent           each of its keys
 *  password                  password           the password
 *  keyboard-interactive      password           the user if the answer is echoed, else the password
 */

import { readFile } from 'node:fs/promises';

import { messageOf } from '@sluice/core/backend';
import type { AuthenticationType, ConnectConfig, KeyboardInteractiveCallback, Prompt } from 'ssh2';

import type { SFTPConfig } from './config.ts';
import { SSHError } from './errors.ts';
import { readPrivateKey } from './private-key.ts';

/** Ends the login to a server that accepts each step without ever finishing it. */
const STEPS_MAX = 4;

type Method = Extract<
  AuthenticationType,
  'none' | 'publickey' | 'agent' | 'password' | 'keyboard-interactive'
>;

export class Login {
  readonly #config: SFTPConfig;
  readonly #agent: string | undefined;
  readonly #methods: readonly Method[];
  readonly #tried = new Set<Method>();
  #accepted: readonly string[] = [];
  #steps = 0;

  constructor(config: SFTPConfig) {
    const { agent, keyPath, password } = config;
    const hasOther = password !== undefined || keyPath !== undefined;
    this.#config = config;
    this.#agent = agent ?? (hasOther ? undefined : process.env['SSH_AUTH_SOCK']);
    this.#methods = [
      ...(keyPath === undefined ? [] : (['publickey'] as const)),
      ...(this.#agent === undefined ? [] : (['agent'] as const)),
      ...(password === undefined ? [] : (['password', 'keyboard-interactive'] as const)),
    ];
  }

  /** Reads the key for each connection, because it may change while we run. */
  async options(): Promise<ConnectConfig> {
    const { user, password, keyPath, passphrase } = this.#config;
    const key =
      keyPath === undefined
        ? undefined
        : readPrivateKey(await readKey(keyPath), passphrase?.reveal());
    return {
      username: user,
      ...(password !== undefined && { password: password.reveal(), tryKeyboard: true }),
      ...(key !== undefined && { privateKey: key.text }),
      ...(key?.passphrase !== undefined && { passphrase: key.passphrase }),
      ...(this.#agent !== undefined && { agent: this.#agent }),
      authHandler: (accepted, partial, send) => {
        const method = this.#next(accepted, partial ? 'success' : 'failure');
        send((method ?? false) as Method); // false: no method is left
      },
    };
  }

  /** The next method to try. `accepted` are the methods of the server; null if not known yet. */
  #next(accepted: readonly string[] | null, last: 'success' | 'failure'): Method | undefined {
    if (accepted === null) return 'none';
    if (last === 'success' && (this.#steps += 1) <= STEPS_MAX) this.#tried.clear();
    this.#accepted = accepted;
    // If the server lists no methods, all are tried.
    const method = this.#methods.find(
      (each) =>
        !this.#tried.has(each) && (accepted.length === 0 || accepted.includes(nameOf(each))),
    );
    if (method !== undefined) this.#tried.add(method);
    return method;
  }

  /** Names methods that the server accepts and that are not configured; '' if there are none. */
  hint(): string {
    const names = new Set(this.#methods.map(nameOf));
    const missing = this.#accepted.filter((name) => !names.has(name) && name in SETTINGS);
    const settings = [...new Set(missing.map((name) => SETTINGS[name]))];
    if (settings.length === 0) return '';
    const how = this.#steps > 0 ? 'requires more steps' : 'accepts other methods too';
    return `; the server ${how} (${missing.join(', ')}): set ${settings.join(' or ')}`;
  }

  answer(prompts: readonly Prompt[], finish: KeyboardInteractiveCallback): void {
    const { user, password } = this.#config;
    finish(prompts.map(({ echo }) => (echo === true ? user : (password?.reveal() ?? ''))));
  }
}

/** The configuration key for each method. */
const SETTINGS: Readonly<Record<string, string>> = {
  publickey: 'key-path',
  password: 'password',
  'keyboard-interactive': 'password',
};

/** The name in the SSH protocol. */
function nameOf(method: Method): string {
  return method === 'agent' ? 'publickey' : method;
}

async function readKey(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    const message = `key-path cannot be read: ${messageOf(error)}`;
    throw new SSHError('REPLICA_UNAUTHENTICATED', message, error);
  }
}
