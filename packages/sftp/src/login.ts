/**
 * How we log in. Servers name the methods that may go on, and may want several, one after the other: a
 * key and then a password. After each step that was right, what was wrong before may be right now.
 *
 *  the server takes          we have            we send
 *  (not said yet)            anything           none, to be told
 *  publickey                 key-path           the key
 *                            an agent           each of its keys
 *  password                  password           it
 *  keyboard-interactive      password           the user to questions that are shown, it to others
 */

import { readFile } from 'node:fs/promises';

import { messageOf } from '@sluice/core/backend';
import type { AuthenticationType, ConnectConfig, KeyboardInteractiveCallback, Prompt } from 'ssh2';

import type { SFTPConfig } from './config.ts';
import { SSHError } from './errors.ts';
import { readPrivateKey } from './private-key.ts';

/** A server that calls each step right and lets nobody in is left. */
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
  #wanted: readonly string[] = [];
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

  /** Read anew for each connection: keys are changed while we run. */
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
      authHandler: (left, partial, send) => {
        const method = this.#next(left, partial ? 'right' : 'wrong');
        send((method ?? false) as Method); // false: there is none
      },
    };
  }

  /** The next method to try. `left` is what the server takes; null before it has said so. */
  #next(left: readonly string[] | null, last: 'right' | 'wrong'): Method | undefined {
    if (left === null) return 'none';
    if (last === 'right' && (this.#steps += 1) <= STEPS_MAX) this.#tried.clear();
    this.#wanted = left;
    // A server that names none is asked for all.
    const method = this.#methods.find(
      (each) => !this.#tried.has(each) && (left.length === 0 || left.includes(nameOf(each))),
    );
    if (method !== undefined) this.#tried.add(method);
    return method;
  }

  /** What the server asks for that is not configured; '' where there is no such thing. */
  hint(): string {
    const names = new Set(this.#methods.map(nameOf));
    const missing = this.#wanted.filter((name) => !names.has(name) && name in SETTINGS);
    const settings = [...new Set(missing.map((name) => SETTINGS[name]))];
    if (settings.length === 0) return '';
    const how = this.#steps > 0 ? 'wants more than that' : 'takes other methods too';
    return `; the server ${how} (${missing.join(', ')}): set ${settings.join(' or ')}`;
  }

  answer(prompts: readonly Prompt[], finish: KeyboardInteractiveCallback): void {
    const { user, password } = this.#config;
    finish(prompts.map(({ echo }) => (echo === true ? user : (password?.reveal() ?? ''))));
  }
}

/** What has to be set for a method of the server's. */
const SETTINGS: Readonly<Record<string, string>> = {
  publickey: 'key-path',
  password: 'password',
  'keyboard-interactive': 'password',
};

/** As servers call it. */
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
