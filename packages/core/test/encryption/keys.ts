/** Keys for tests, and age files by the library itself. */

import { Decrypter, Encrypter, generateX25519Identity, identityToRecipient } from 'age-encryption';
import type { EncryptionKeys } from '../../src/encryption/age.ts';

export interface KeyPair {
  readonly identity: string;
  readonly recipient: string;
  /** A host that can only write. */
  readonly writer: EncryptionKeys;
  /** A host that can read too. */
  readonly reader: EncryptionKeys;
}

export async function newKeys(): Promise<KeyPair> {
  const identity = await generateX25519Identity();
  const recipient = await identityToRecipient(identity);
  const writer = { recipients: [recipient] };
  return {
    identity,
    recipient,
    writer,
    reader: { ...writer, identities: async () => [identity] },
  };
}

/** Encrypts a whole object. */
export async function encryptFor(recipient: string, bytes: Uint8Array): Promise<Uint8Array> {
  const encrypter = new Encrypter();
  encrypter.addRecipient(recipient);
  return await encrypter.encrypt(bytes);
}

/** Decrypts a whole object. */
export async function decryptWith(identity: string, bytes: Uint8Array): Promise<Uint8Array> {
  const decrypter = new Decrypter();
  decrypter.addIdentity(identity);
  return await decrypter.decrypt(bytes);
}
