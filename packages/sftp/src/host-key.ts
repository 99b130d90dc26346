/**
 * The keys that a server may show, and whether it is the expected server.
 *
 * A `host-key` is one or more lines `TYPE BASE64 [comment]`, as in authorized_keys or the output of
 * ssh-keyscan, or fingerprints `SHA256:…`, as in the output of ssh-keygen -lf. A known_hosts file has
 * lines `[@revoked|@cert-authority] HOSTS TYPE BASE64 [comment]`. HOSTS are patterns separated by
 * commas (`*`, `?`, `!not`), `[host]:port` if the port is not 22, or hashes (`|1|SALT|HMAC-SHA1`).
 * Certificates are ignored: we request plain keys.
 *
 * A server has keys of several types and shows one of a type that both sides support. If that is not
 * an expected key, the other types are requested too, one connection each, before an error is
 * reported.
 */

import { createHash, createHmac } from 'node:crypto';
import { readFile } from 'node:fs/promises';

import { messageOf } from '@sluice/core/backend';
import type { ServerHostKeyAlgorithm } from 'ssh2';

import type { SFTPConfig } from './config.ts';
import { SSHError } from './errors.ts';

/** Signature algorithms of an RSA key. The server shows the same key for each. */
const RSA = ['rsa-sha2-512', 'rsa-sha2-256', 'ssh-rsa'] as const;
const TYPES = [
  'ssh-ed25519',
  'ecdsa-sha2-nistp256',
  'ecdsa-sha2-nistp384',
  'ecdsa-sha2-nistp521',
  'ssh-rsa',
] as const;

export class HostKeyCheck {
  readonly #expected: readonly ExpectedKey[];
  readonly #shown: ShownKey[] = [];
  #verdict: Verdict | undefined;
  #hasNoOtherKey = false;

  constructor(expected: readonly ExpectedKey[]) {
    this.#expected = expected;
  }

  /** The algorithms to request. Types of expected keys come first. */
  algorithms(): ServerHostKeyAlgorithm[] {
    return typesToRequest(this.#expected, this.#shown).flatMap((type) =>
      type === 'ssh-rsa' ? [...RSA] : [type],
    );
  }

  verify(blob: Buffer): boolean {
    const shown = readShownKey(blob);
    this.#verdict = verdictOn(shown, this.#expected);
    if (this.#verdict !== 'trusted') this.#shown.push(shown);
    return this.#verdict === 'trusted';
  }

  /** Called when the server has no key of the requested types. */
  setNoOtherKey(): void {
    this.#hasNoOtherKey = true;
  }

  /** Whether the server may have an expected key of another type. */
  get mayHaveOtherKey(): boolean {
    if (this.#hasNoOtherKey || this.#verdict !== 'changed') return false;
    return typesToRequest(this.#expected, this.#shown).length > 0;
  }

  /** The error if the server is not trusted; undefined if it is, or has not shown a key yet. */
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

/** The key types to request next. Empty if no other key can be an expected one. */
export function typesToRequest(
  expected: readonly ExpectedKey[],
  shown: readonly Pick<ShownKey, 'type'>[],
): (typeof TYPES)[number][] {
  const trusted = expected.filter(({ mark }) => mark === 'trusted');
  const isExpected = (type: string): boolean => trusted.some((key) => key.type === type);
  // A fingerprint may belong to a key of any type.
  const isAnyType = trusted.length === 0 || trusted.some(({ type }) => type === undefined);
  const left = TYPES.filter((type) => !shown.some((key) => key.type === type));
  const others = left.filter((type) => !isExpected(type));
  const isFirst = shown.length === 0;
  return [...left.filter(isExpected), ...(isFirst || isAnyType ? others : [])];
}

/** REPLICA_HOST_UNTRUSTED if known-hosts cannot be read. */
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
    'and none of its keys is known: compare it with the output of "ssh-keygen -lf" on the server, and ' +
    `if it is the same, set host-key to "${line}"`,
  changed: (_, expected) =>
    `but the expected host key is ${expected.map(({ fingerprint }) => fingerprint).join(' or ')}: ` +
    'the host key has changed, or the connection is intercepted. Ask the administrator of the server ' +
    'before you change host-key or known-hosts',
  revoked: () => 'which is revoked in known-hosts',
};

/** The type is undefined if only a fingerprint is configured. */
export interface ExpectedKey {
  readonly type: string | undefined;
  readonly fingerprint: string;
  readonly mark: 'trusted' | 'revoked';
}

export interface ShownKey {
  readonly type: string;
  readonly fingerprint: string;
  /** "ssh-ed25519 AAAA…", as in the configuration. */
  readonly line: string;
}

export type Verdict = 'trusted' | 'unknown' | 'changed' | 'revoked';

export function readShownKey(blob: Buffer): ShownKey {
  const type = typeOf(blob) ?? 'a key of an unknown type';
  return { type, fingerprint: fingerprintOf(blob), line: `${type} ${blob.toString('base64')}` };
}

export function verdictOn(shown: ShownKey, expected: readonly ExpectedKey[]): Verdict {
  const same = expected.filter(({ fingerprint }) => fingerprint === shown.fingerprint);
  if (same.some(({ mark }) => mark === 'revoked')) return 'revoked';
  if (same.length > 0) return 'trusted';
  return expected.some(({ mark }) => mark === 'trusted') ? 'changed' : 'unknown';
}

/** Undefined if a line is neither a key nor a fingerprint. */
export function readKeyLines(text: string): readonly ExpectedKey[] | undefined {
  const lines = text.split('\n').filter((line) => line.trim() !== '');
  const keys = lines.flatMap((line) => readKeyLine(line.trim()) ?? []);
  return keys.length === lines.length && keys.length > 0 ? keys : undefined;
}

function readKeyLine(line: string): ExpectedKey | undefined {
  const fingerprint = /^(SHA256:[A-Za-z0-9+/]{43})=?$/.exec(line)?.[1];
  if (fingerprint !== undefined) return { type: undefined, fingerprint, mark: 'trusted' };
  const [type = '', base64 = ''] = line.split(/\s+/);
  return readKey(type, base64, 'trusted');
}

/** The keys of one host in a known_hosts file. Invalid lines are ignored, as by ssh. */
export function readKnownHosts(text: string, host: string, port: number): readonly ExpectedKey[] {
  const name = port === 22 ? host.toLowerCase() : `[${host.toLowerCase()}]:${port}`;
  return text.split('\n').flatMap((line) => {
    const fields = line.trim().split(/\s+/);
    const marker = fields[0]?.startsWith('@') === true ? fields.shift() : undefined;
    const [hosts = '', type = '', base64 = ''] = fields;
    if (hosts === '' || hosts.startsWith('#') || marker === '@cert-authority') return [];
    if (!matches(hosts, name)) return [];
    return readKey(type, base64, marker === '@revoked' ? 'revoked' : 'trusted') ?? [];
  });
}

function readKey(type: string, base64: string, mark: ExpectedKey['mark']): ExpectedKey | undefined {
  const blob = Buffer.from(base64, 'base64');
  if (typeOf(blob) !== type) return undefined;
  return { type, fingerprint: fingerprintOf(blob), mark };
}

/** A key starts with its type: four bytes of length, then the text. */
function typeOf(blob: Buffer): string | undefined {
  if (blob.byteLength < 4) return undefined;
  const length = blob.readUInt32BE(0);
  return length > 0 && length < blob.byteLength - 4
    ? blob.toString('latin1', 4, 4 + length)
    : undefined;
}

function fingerprintOf(blob: Buffer): string {
  return `SHA256:${createHash('sha256').update(blob).digest('base64').replace(/=+$/, '')}`;
}

function matches(hosts: string, name: string): boolean {
  const hashed = /^\|1\|([^|]+)\|(.+)$/.exec(hosts);
  if (hashed !== null) {
    const [, salt = '', hash] = hashed;
    return createHmac('sha1', Buffer.from(salt, 'base64')).update(name).digest('base64') === hash;
  }
  const patterns = hosts.toLowerCase().split(',');
  const isMatch = (pattern: string): boolean => toRegExp(pattern).test(name);
  if (patterns.some((pattern) => pattern.startsWith('!') && isMatch(pattern.slice(1))))
    return false;
  return patterns.some(isMatch);
}

function toRegExp(pattern: string): RegExp {
  const escaped = pattern.replaceAll(/[.+^${}()|[\]\\/-]/g, String.raw`\$&`);
  return new RegExp(`^${escaped.replaceAll('*', '.*').replaceAll('?', '.')}$`);
}
