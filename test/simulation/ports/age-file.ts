/**
 * Decrypts age files at once, with the primitives of Node. It shares no code with core, so a file that it
 * can read is one that the public format describes (https://age-encryption.org/v1).
 *
 *  header   "age-encryption.org/v1", stanzas, "--- " and a MAC, each on a line
 *  stanza   "-> X25519 " and the ephemeral share, then on its own line the encrypted file key
 *  payload  a nonce of 16 bytes, then chunks of 64 KiB, each with a tag of 16 bytes
 */

import {
  createDecipheriv,
  createHmac,
  createPrivateKey,
  createPublicKey,
  diffieHellman,
  hkdfSync,
} from 'node:crypto';

/** Keys for tests, of age-keygen. The replicator knows the recipient only. */
export const RECIPIENT = 'age155wjzn54c9zj0fq8ugck6flf8yz56y3v4kzhxd36a2ga0ccu65tqajf34w';
export const IDENTITY =
  'AGE-SECRET-KEY-1UZEPVKEF6HUP237R8A6E3UM3TMLYR0N28EWK6ZVWP2TC5SSUHRGS9X0KDU';
/** The bytes that the identity and the recipient stand for. */
const SECRET = 'e0b2165b29d5f81547c33f7598f3715efe41be6a3e5d6d098e0a978a421cb8d1';

const PKCS8_START = Buffer.from('302e020100300506032b656e04220420', 'hex');
const SPKI_START = Buffer.from('302a300506032b656e032100', 'hex');
const KEY_BYTES = 32;
const NONCE_BYTES = 16;
const TAG_BYTES = 16;
const CHUNK_BYTES = 65_536 + TAG_BYTES;
/** Bytes of the nonce of a chunk that count; one byte marks the last chunk. */
const COUNTER_BYTES = 11;
const HEADER = /^age-encryption\.org\/v1\n([\s\S]*?)\n--- ([A-Za-z0-9+/]{43})\n/;
const STANZA = /(?:^|\n)-> X25519 ([A-Za-z0-9+/]{43})\n([A-Za-z0-9+/]{43})(?:\n|$)/;

const privateKey = createPrivateKey({
  key: Buffer.concat([PKCS8_START, Buffer.from(SECRET, 'hex')]),
  format: 'der',
  type: 'pkcs8',
});
const publicBytes = createPublicKey(privateKey)
  .export({ format: 'der', type: 'spki' })
  .subarray(-KEY_BYTES);

/** The decrypted bytes. Throws if these are not an age file for `RECIPIENT`. */
export function openAgeFile(bytes: Uint8Array): Uint8Array {
  const file = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  const [header, stanzas, mac] = HEADER.exec(file.toString('latin1')) ?? [];
  const [, share, wrapped] = STANZA.exec(stanzas ?? '') ?? [];
  if (header === undefined || share === undefined || wrapped === undefined) {
    throw new Error('it is not an age file for this recipient');
  }
  const fileKey = unwrap(Buffer.from(share, 'base64'), Buffer.from(wrapped, 'base64'));
  const signed = header.slice(0, header.lastIndexOf('---') + 3);
  const expected = createHmac('sha256', derive(fileKey, Buffer.alloc(0), 'header')).update(signed);
  if (!expected.digest().equals(Buffer.from(mac ?? '', 'base64'))) {
    throw new Error('the MAC of its header is wrong');
  }
  return decryptPayload(fileKey, file.subarray(header.length));
}

function unwrap(share: Buffer, wrapped: Buffer): Buffer {
  const key = Buffer.concat([SPKI_START, share]);
  const publicKey = createPublicKey({ key, format: 'der', type: 'spki' });
  const secret = diffieHellman({ privateKey, publicKey });
  const salt = Buffer.concat([share, publicBytes]);
  return decryptChunk(
    derive(secret, salt, 'age-encryption.org/v1/X25519'),
    Buffer.alloc(COUNTER_BYTES + 1),
    wrapped,
  );
}

function decryptPayload(fileKey: Buffer, payload: Buffer): Uint8Array {
  const key = derive(fileKey, payload.subarray(0, NONCE_BYTES), 'payload');
  const chunks = payload.subarray(NONCE_BYTES);
  const plain: Buffer[] = [];
  for (let start = 0, count = 0; start < chunks.length; start += CHUNK_BYTES, count++) {
    const isLast = start + CHUNK_BYTES >= chunks.length;
    const nonce = Buffer.alloc(COUNTER_BYTES + 1);
    nonce.writeUInt32BE(count, COUNTER_BYTES - 4);
    nonce[COUNTER_BYTES] = isLast ? 1 : 0;
    plain.push(decryptChunk(key, nonce, chunks.subarray(start, start + CHUNK_BYTES)));
  }
  if (plain.length === 0) throw new Error('it has no payload');
  return Buffer.concat(plain);
}

function decryptChunk(key: Buffer, nonce: Buffer, chunk: Buffer): Buffer {
  const options = { authTagLength: TAG_BYTES };
  const decipher = createDecipheriv('chacha20-poly1305', key, nonce, options);
  decipher.setAuthTag(chunk.subarray(-TAG_BYTES));
  return Buffer.concat([decipher.update(chunk.subarray(0, -TAG_BYTES)), decipher.final()]);
}

function derive(secret: Buffer, salt: Buffer, info: string): Buffer {
  return Buffer.from(hkdfSync('sha256', secret, salt, info, KEY_BYTES));
}
