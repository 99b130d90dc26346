/**
 * Whether a server is the one that is meant. It has keys of several types, and shows one of a type that
 * both sides know: where that is not a key that is expected, the others are asked for, one connection
 * each, before anything is said of it.
 */

import { readFile } from 'node:fs/promises';

import { messageOf } from '@sluice/core/backend';
import type { ServerHostKeyAlgorithm } from 'ssh2';

import type { SFTPConfig } from './config.ts';
import { SSHError } from './errors.ts';
import {
  judge,
  readKeyLines,
  readKnownHosts,
  readShownKey,
  type ExpectedKey,
  type ShownKey,
  type Verdict,
} from './host-key.ts';

/** What an RSA key may sign with; all of them show the same key. */
const RSA = ['rsa-sha2-512', 'rsa-sha2-256', 'ssh-rsa'] as const;
const TYPES = [
  'ssh-ed25519',
  'ecdsa-sha2-nistp256',
  'ecdsa-sha2-nistp384',
  'ecdsa-sha2-nistp521',
  'ssh-rsa',
] as const;

export class Trust {
  readonly #expected: readonly ExpectedKey[];
  readonly #shown: ShownKey[] = [];
  #verdict: Verdict | undefined;
  #hasNoOther = false;

  constructor(expected: readonly ExpectedKey[]) {
    this.#expected = expected;
  }

  /** What to ask for, the best first. Types that are known go before others. */
  algorithms(): ServerHostKeyAlgorithm[] {
    return typesToAsk(this.#expected, this.#shown).flatMap((type) =>
      type === 'ssh-rsa' ? [...RSA] : [type],
    );
  }

  verify(blob: Buffer): boolean {
    const shown = readShownKey(blob);
    this.#verdict = judge(shown, this.#expected);
    if (this.#verdict !== 'trusted') this.#shown.push(shown);
    return this.#verdict === 'trusted';
  }

  /** The server has said that it has no key of the types that it was asked for. */
  noOther(): void {
    this.#hasNoOther = true;
  }

  /** Whether the server may have a key of another type that is the one that is expected. */
  get mayHaveAnother(): boolean {
    if (this.#hasNoOther || this.#verdict !== 'changed') return false;
    return typesToAsk(this.#expected, this.#shown).length > 0;
  }

  /** Why the server is not trusted; undefined where it is, or has shown nothing. */
  refusal(name: string): SSHError | undefined {
    const [first] = this.#shown;
    if (first === undefined || this.#verdict === undefined || this.#verdict === 'trusted') {
      return undefined;
    }
    const offers = this.#shown.map(({ type, fingerprint }) => `${type} ${fingerprint}`);
    const reason = REASONS[this.#verdict](first, this.#expected);
    const message = `${name} offers ${offers.join(' and ')}, ${reason}`;
    return new SSHError('REPLICA_HOST_UNTRUSTED', message);
  }
}

/** Pure. Empty where no other key can be the one that is expected. */
export function typesToAsk(
  expected: readonly ExpectedKey[],
  shown: readonly Pick<ShownKey, 'type'>[],
): (typeof TYPES)[number][] {
  const trusted = expected.filter(({ mark }) => mark === 'trusted');
  const isKnown = (type: string): boolean => trusted.some((key) => key.type === type);
  // A fingerprint may be of any type.
  const isAnyType = trusted.length === 0 || trusted.some(({ type }) => type === undefined);
  const left = TYPES.filter((type) => !shown.some((key) => key.type === type));
  const others = left.filter((type) => !isKnown(type));
  const isFirst = shown.length === 0;
  return [...left.filter(isKnown), ...(isFirst || isAnyType ? others : [])];
}

/** REPLICA_HOST_UNTRUSTED where known-hosts cannot be read. */
export async function readExpectedKeys(config: SFTPConfig): Promise<readonly ExpectedKey[]> {
  const { host, port, hostKey, knownHosts } = config;
  if (hostKey !== undefined) return readKeyLines(hostKey) ?? [];
  if (knownHosts === undefined) return [];
  try {
    return readKnownHosts(await readFile(knownHosts, 'utf8'), host, port);
  } catch (error) {
    const message = `known-hosts cannot be read: ${messageOf(error)}`;
    throw new SSHError('REPLICA_HOST_UNTRUSTED', message, error);
  }
}

type Reason = (shown: ShownKey, expected: readonly ExpectedKey[]) => string;

const REASONS: Readonly<Record<Exclude<Verdict, 'trusted'>, Reason>> = {
  unknown: ({ line }) =>
    'and no key of it is known: compare that with what "ssh-keygen -lf" says on the server, and ' +
    `if it is the same, set host-key to "${line}"`,
  changed: (_, expected) =>
    `but its host key is to be ${expected.map(({ fingerprint }) => fingerprint).join(' or ')}: ` +
    'the host key has changed, or somebody stands between. Ask who runs the server before you ' +
    'change host-key or known-hosts',
  revoked: () => 'which is revoked in known-hosts',
};
