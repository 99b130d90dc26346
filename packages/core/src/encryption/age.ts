/**
 * The age format (https://age-encryption.org/v1), by the library `age-encryption`. It is loaded when a file
 * is encrypted or decrypted for the first time, or when recipients are checked.
 *
 * An encrypted file is a text header, one line or more per recipient, and the bytes in chunks of 64 KiB, each with
 * a tag of 16 bytes. A chunk is returned only after its tag was verified; the last one is marked as the last.
 */

import { ReadableStream } from 'node:stream/web';
import { isError, messageOf, ReplicationError } from '../error.ts';
import { unlessAborted } from '../store/abort.ts';

type Library = typeof import('age-encryption');

/** The first bytes of every age file. */
export const AGE_START = 'age-encryption.org/';
/** Maximum size of a header. One for 16 post-quantum recipients has 26 KiB. */
const HEADER_BYTES_MAX = 65_536;
/** The start of the last line of a header. */
const LAST_LINE = Buffer.from('\n--- ');

/** Returns the text of identities (`AGE-SECRET-KEY-1…`), for example from a file or a command. */
export type ReadIdentities = () => Promise<readonly string[]>;

/** The keys of one destination. */
export interface EncryptionKeys {
  /** Public keys, such as `age1…`. None: nothing can be written. */
  readonly recipients: readonly string[];
  /** Absent on a host that only writes. Called at the first read of an encrypted file. */
  readonly identities?: ReadIdentities | undefined;
}

/** Bytes that were decrypted. */
export interface Decrypted {
  readonly sizeBytes: number;
  readonly body: AsyncIterable<Uint8Array>;
}

/** Encrypts for the recipients of a destination, and decrypts with its identities. */
export class Encryption {
  readonly #keys: EncryptionKeys;
  #identities: Promise<readonly string[]> | undefined;

  constructor(keys: EncryptionKeys) {
    this.#keys = keys;
  }

  /** The encrypted bytes: other ones at each call. CONFIG_INVALID without a recipient. */
  async encrypt(plain: AsyncIterable<Uint8Array>): Promise<AsyncIterable<Uint8Array>> {
    const { recipients } = this.#keys;
    if (recipients.length === 0) {
      throw new ReplicationError(
        'CONFIG_INVALID',
        'encrypt a file: there are no recipients; add encryption.recipients to the destination',
      );
    }
    const { Encrypter } = await loadLibrary();
    const encrypter = new Encrypter();
    for (const recipient of recipients) encrypter.addRecipient(recipient);
    return bytesOf(await encrypter.encrypt(streamOf(plain)));
  }

  /**
   * Decrypts `body`, the `sizeBytes` bytes of the file `name`. REPLICA_NO_IDENTITY if there is no identity for
   * it; LTX_INVALID if it is damaged or cut short, at the latest at its end. `signal` ends the wait for identities.
   */
  async decrypt(
    name: string,
    body: AsyncIterable<Uint8Array>,
    sizeBytes: number,
    signal?: AbortSignal,
  ): Promise<Decrypted> {
    const source = new Source(body);
    const { Decrypter } = await loadLibrary();
    const decrypter = new Decrypter();
    try {
      const identities = await unlessAborted(this.#readIdentities(name), [signal]);
      for (const identity of identities) addIdentity(decrypter, identity);
      const start = await source.takeHeader();
      if (start === undefined) throw damaged(name, 'its header does not end');
      const plain = await decrypter.decrypt(streamOf(source.read(start)));
      return { sizeBytes: plain.size(sizeBytes), body: decryptedBytes(name, source, plain) };
    } catch (error) {
      await source.close();
      throw toReadError(name, source, error);
    }
  }

  async #readIdentities(name: string): Promise<readonly string[]> {
    const read = this.#keys.identities;
    if (read === undefined) throw noIdentity(name);
    this.#identities ??= read();
    try {
      const identities = await this.#identities;
      if (identities.length === 0) throw noIdentity(name);
      return identities;
    } catch (error) {
      this.#identities = undefined; // a later read asks again
      throw error;
    }
  }
}

/** Why a recipient cannot be used; undefined if it can. Loads the library. */
export async function problemWithRecipient(recipient: string): Promise<string | undefined> {
  if (recipient.startsWith('ssh-')) {
    const [type] = recipient.split(/\s/);
    return `${type} keys are not supported: create a key with age-keygen, and use its public key (age1…)`;
  }
  if (/^age-secret-key-/i.test(recipient)) {
    return 'a private key is no recipient, and must not be there: give its public key (age1…), which age-keygen -y prints';
  }
  const { Encrypter } = await loadLibrary();
  try {
    new Encrypter().addRecipient(recipient);
    return undefined;
  } catch (error) {
    return `${JSON.stringify(recipient)} is not an age recipient (age1…): ${messageOf(error)}`;
  }
}

/** The identities in a file of age-keygen, one a line or separated by commas; without empty lines and comments. */
export function parseIdentities(text: string): string[] {
  return text
    .split(/\r\n?|\n/)
    .filter((line) => !line.trim().startsWith('#'))
    .flatMap((line) => line.split(','))
    .map((identity) => identity.trim())
    .filter((identity) => identity !== '');
}

/** Whether these first bytes are those of an age file. */
export function isAge(start: Uint8Array): boolean {
  return Buffer.from(start.buffer, start.byteOffset, start.length)
    .subarray(0, AGE_START.length)
    .equals(Buffer.from(AGE_START));
}

/** An encrypted file that cannot be read here. `name` is its key, for the message. */
function noIdentity(name: string, cause?: unknown): ReplicationError {
  const why =
    cause === undefined
      ? 'no identity: it is encrypted with age, and no identity is configured here'
      : 'no identity fits: it is encrypted for other recipients, or its header is damaged';
  return new ReplicationError(
    'REPLICA_NO_IDENTITY',
    `read ${name}: ${why}; give the private key of one of its recipients with SLUICE_AGE_IDENTITY or ` +
      'SLUICE_AGE_IDENTITY_FILE, or with identity-file or identity-command in the encryption of the destination',
    { cause },
  );
}

let library: Promise<Library> | undefined;

async function loadLibrary(): Promise<Library> {
  library ??= import('age-encryption');
  return await library;
}

function addIdentity(decrypter: InstanceType<Library['Decrypter']>, identity: string): void {
  try {
    decrypter.addIdentity(identity);
  } catch {
    // The text may be a private key: it must not be in a message.
    throw new ReplicationError(
      'CONFIG_INVALID',
      'read the age identities: one of them is not an identity (AGE-SECRET-KEY-1…); write one a line, as age-keygen does; ' +
        'a file with a passphrase must be decrypted, for example by identity-command',
    );
  }
}

/** Remembers errors of its bytes, so that the file is not blamed for them. */
class Source {
  readonly #iterator: AsyncIterator<Uint8Array>;
  #failure: { readonly error: unknown } | undefined;

  constructor(body: AsyncIterable<Uint8Array>) {
    this.#iterator = body[Symbol.asyncIterator]();
  }

  get failure(): { readonly error: unknown } | undefined {
    return this.#failure;
  }

  /** The first bytes, with the whole header; undefined if they have none. */
  async takeHeader(): Promise<Uint8Array | undefined> {
    let start: Buffer = Buffer.alloc(0);
    while (!start.includes(LAST_LINE)) {
      const next = await this.#next();
      if (next === undefined || start.length > HEADER_BYTES_MAX) return undefined;
      start = Buffer.concat([start, next]);
    }
    return start;
  }

  async *read(start: Uint8Array): AsyncGenerator<Uint8Array, void> {
    try {
      yield start;
      for (let next = await this.#next(); next !== undefined; next = await this.#next()) yield next;
    } finally {
      await this.close();
    }
  }

  /** Frees the connection. */
  async close(): Promise<void> {
    await this.#iterator.return?.();
  }

  async #next(): Promise<Uint8Array | undefined> {
    try {
      const next = await this.#iterator.next();
      return next.done === true ? undefined : next.value;
    } catch (error) {
      this.#failure = { error };
      throw error;
    }
  }
}

async function* decryptedBytes(
  name: string,
  source: Source,
  plain: ReadableStream<Uint8Array>,
): AsyncGenerator<Uint8Array, void> {
  try {
    yield* bytesOf(plain);
  } catch (error) {
    throw toReadError(name, source, error);
  }
}

/** Errors of the source stay as they are; all others are about the bytes of the file. */
function toReadError(name: string, { failure }: Source, error: unknown): unknown {
  if (failure !== undefined) return failure.error;
  if (isError(error)) return error;
  const message = messageOf(error);
  return message.startsWith('no identity matched')
    ? noIdentity(name, error)
    : damaged(name, message);
}

function damaged(name: string, why: string): ReplicationError {
  return new ReplicationError(
    'LTX_INVALID',
    `decrypt ${name}: its age file is damaged or cut short (${why}); restore from another destination or level`,
  );
}

/** Stopping early cancels the stream, and with it the source. */
async function* bytesOf(stream: ReadableStream<Uint8Array>): AsyncGenerator<Uint8Array, void> {
  for await (const chunk of stream) if (chunk.length > 0) yield chunk;
}

function streamOf(bytes: AsyncIterable<Uint8Array>): ReadableStream<Uint8Array> {
  return ReadableStream.from(bytes);
}
