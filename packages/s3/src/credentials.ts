/**
 * Credentials that nobody has configured: the SDK's own chain finds them. It remembers what has no
 * end for as long as the process lives, a file among it; but such files are written anew by whoever
 * rotates keys. So what it finds without an end is looked for again after a while.
 */

import type { S3Client } from '@aws-sdk/client-s3';

/** The SDK asks again five minutes before the end: so a file is read once a minute, at most. */
const LIFETIME_MS = 6 * 60_000;

interface Found {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
  readonly expiration?: Date;
}

/** To be given to the client as its `credentials`; it asks for them again before they end. */
export function findCredentials(clientOf: () => S3Client): () => Promise<Found> {
  return async () => {
    const { config } = clientOf();
    const init = { ...config, parentClientConfig: config, ignoreCache: true };
    const found: Found = await config.credentialDefaultProvider(init)();
    const lifetimeMs =
      found.expiration === undefined ? LIFETIME_MS : found.expiration.getTime() - Date.now();
    return { ...found, expiration: new EndOfLife(lifetimeMs) };
  };
}

/**
 * A date that comes by the wall clock or after its lifetime, whichever is first. The SDK compares it
 * with the wall clock alone, and would keep old keys for as long as that clock was set back.
 */
class EndOfLife extends Date {
  readonly #endsAt: number;

  constructor(lifetimeMs: number) {
    super(Date.now() + lifetimeMs);
    this.#endsAt = performance.now() + lifetimeMs;
  }

  override getTime(): number {
    return Math.min(super.getTime(), Date.now() + this.#endsAt - performance.now());
  }
}
