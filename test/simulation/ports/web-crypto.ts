/** Counts operations of Web Crypto that run in other threads, which age uses: virtual time waits for them. */

let pending = 0;

export function isComputing(): boolean {
  return pending > 0;
}

/** Call once. */
export function installWebCrypto(): void {
  const prototype = Object.getPrototypeOf(globalThis.crypto.subtle) as Record<
    string,
    (...values: unknown[]) => Promise<unknown>
  >;
  for (const method of ['importKey', 'deriveBits']) {
    const original = prototype[method];
    if (original === undefined) throw new Error(`Web Crypto has no method ${method}`);
    prototype[method] = async function call(this: unknown, ...values: unknown[]) {
      pending += 1;
      try {
        return await original.apply(this, values);
      } finally {
        pending -= 1;
      }
    };
  }
}
