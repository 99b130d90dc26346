/**
 * Which keys a server may show. A `host-key` is one or more lines `TYPE BASE64 [comment]`, as in
 * authorized_keys or what ssh-keyscan prints, or fingerprints `SHA256:…`, as ssh-keygen -lf prints.
 * A known_hosts file has lines `[@revoked|@cert-authority] HOSTS TYPE BASE64 [comment]`, HOSTS being
 * patterns by commas (`*`, `?`, `!not`), `[host]:port` where the port is not 22, or hashed
 * (`|1|SALT|HMAC-SHA1`). Certificates are not looked at: we ask for plain keys.
 */

import { createHash, createHmac } from 'node:crypto';

/** A key that is expected: its type is not known where only a fingerprint was given. */
export interface ExpectedKey {
  readonly type: string | undefined;
  readonly fingerprint: string;
  readonly mark: 'trusted' | 'revoked';
}

/** What a server has shown. */
export interface ShownKey {
  readonly type: string;
  readonly fingerprint: string;
  /** "ssh-ed25519 AAAA…", to be put into a configuration. */
  readonly line: string;
}

export type Verdict = 'trusted' | 'unknown' | 'changed' | 'revoked';

export function readShownKey(blob: Buffer): ShownKey {
  const type = typeOf(blob) ?? 'a key of no known type';
  return { type, fingerprint: fingerprintOf(blob), line: `${type} ${blob.toString('base64')}` };
}

export function judge(shown: ShownKey, expected: readonly ExpectedKey[]): Verdict {
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

/** The keys of one host in a known_hosts file. Lines that are no keys are passed over, as by ssh. */
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

/** A key begins with its type: four bytes of length, then the text. */
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
  const isNamed = (pattern: string): boolean => toRegExp(pattern).test(name);
  if (patterns.some((pattern) => pattern.startsWith('!') && isNamed(pattern.slice(1))))
    return false;
  return patterns.some(isNamed);
}

function toRegExp(pattern: string): RegExp {
  const escaped = pattern.replaceAll(/[.+^${}()|[\]\\/-]/g, String.raw`\$&`);
  return new RegExp(`^${escaped.replaceAll('*', '.*').replaceAll('?', '.')}$`);
}
