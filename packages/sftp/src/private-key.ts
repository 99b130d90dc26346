/**
 * Converts private keys to the forms that ssh2 can read.
 *
 *  BEGIN …                         made by                             ssh2 reads   becomes
 *  OPENSSH PRIVATE KEY             ssh-keygen                          yes          -
 *  RSA PRIVATE KEY, EC PRIVATE KEY ssh-keygen -m PEM, openssl          yes          -
 *  EC PARAMETERS, then a key       openssl ecparam -genkey             no           EC PRIVATE KEY
 *  PRIVATE KEY                     openssl genpkey, clouds (PKCS #8)   no           one of the first three
 *  ENCRYPTED PRIVATE KEY           openssl genpkey -aes256             no           the same, decrypted
 *
 * For Ed25519, OpenSSH has only its own format, which is written here (PROTOCOL.key):
 *
 *  "openssh-key-v1\0"
 *  string cipher "none", string kdf "none", string kdf options "", uint32 number of keys 1
 *  string public key:  string "ssh-ed25519", string 32 bytes
 *  string private part: uint32 check, uint32 the same, string "ssh-ed25519", string public 32 bytes,
 *                       string private and public 64 bytes, string comment, bytes 1, 2, 3, … to a multiple of 8
 */

import { createPrivateKey, type KeyObject } from 'node:crypto';

import { messageOf } from '@sluice/core/backend';

import { SSHError } from './errors.ts';

const TYPE = 'ssh-ed25519';
/** Two equal check values show that decryption worked. This key is not encrypted. */
const CHECK = Buffer.alloc(8);
/** The block size of the cipher "none". */
const BLOCK_BYTES = 8;
const LINE_CHARS = 70;

export interface PrivateKey {
  readonly text: string;
  /** Undefined if the text is not encrypted (anymore). */
  readonly passphrase: string | undefined;
}

/** REPLICA_UNAUTHENTICATED if a key cannot be decrypted, or has a type that SSH does not support. */
export function readPrivateKey(text: string, passphrase: string | undefined): PrivateKey {
  if (/-----BEGIN [\w ]*PUBLIC KEY-----|^(ssh|ecdsa)-\S+ AAAA/m.test(text)) {
    throw keyError('it is a public key: use the file without .pub');
  }
  if (!/-----BEGIN (ENCRYPTED )?PRIVATE KEY-----|-----BEGIN EC PARAMETERS-----/.test(text)) {
    return { text, passphrase };
  }
  return { text: formatKey(decrypt(text, passphrase)), passphrase: undefined };
}

function decrypt(text: string, passphrase: string | undefined): KeyObject {
  try {
    // Without EC PARAMETERS, which the key repeats.
    const key = text.replace(/-----BEGIN EC PARAMETERS-----[^]*?-----END EC PARAMETERS-----/, '');
    return createPrivateKey({ key, ...(passphrase !== undefined && { passphrase }) });
  } catch (error) {
    const isLocked = /ENCRYPTED/.test(text) && passphrase === undefined;
    throw keyError(isLocked ? 'it is encrypted: set passphrase' : messageOf(error), error);
  }
}

function formatKey(key: KeyObject): string {
  switch (key.asymmetricKeyType) {
    case 'rsa':
      return String(key.export({ type: 'pkcs1', format: 'pem' }));
    case 'ec':
      return String(key.export({ type: 'sec1', format: 'pem' }));
    case 'ed25519':
      return formatEd25519(key);
    case undefined:
    default:
      throw keyError(`it has the type ${key.asymmetricKeyType}: SSH has RSA, ECDSA and Ed25519`);
  }
}

function formatEd25519(key: KeyObject): string {
  const { d = '', x = '' } = key.export({ format: 'jwk' });
  const [seed, point] = [d, x].map((part) => Buffer.from(part, 'base64url')) as [Buffer, Buffer];
  const publicKey = Buffer.concat([string(TYPE), string(point)]);
  const privatePart = padded(
    Buffer.concat([CHECK, publicKey, string(Buffer.concat([seed, point])), string('')]),
  );
  const one = Buffer.from([0, 0, 0, 1]);
  const whole = Buffer.concat([
    Buffer.from('openssh-key-v1\0'),
    ...['none', 'none', ''].map(string),
    one,
    string(publicKey),
    string(privatePart),
  ]);
  const lines = whole.toString('base64').match(new RegExp(`.{1,${LINE_CHARS}}`, 'g')) ?? [];
  const [begin, end] = ['BEGIN', 'END'].map((word) => `-----${word} OPENSSH PRIVATE KEY-----`);
  return [begin, ...lines, end, ''].join('\n');
}

/** A string of the SSH protocol: its length, then its bytes. */
function string(value: string | Uint8Array): Buffer {
  const bytes = Buffer.from(value);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(bytes.byteLength);
  return Buffer.concat([length, bytes]);
}

function padded(bytes: Buffer): Buffer {
  const count = (BLOCK_BYTES - (bytes.byteLength % BLOCK_BYTES)) % BLOCK_BYTES;
  return Buffer.concat([bytes, Buffer.from(Array.from({ length: count }, (_, i) => i + 1))]);
}

function keyError(reason: string, cause?: unknown): SSHError {
  const message = `key-path cannot be used: ${reason}; check key-path and passphrase`;
  return new SSHError('REPLICA_UNAUTHENTICATED', message, cause);
}
