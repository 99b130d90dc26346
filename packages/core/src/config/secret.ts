/** A value that must not be printed. Identified by a registered symbol, so that two copies of this package agree. */

const BRAND = Symbol.for('sluice.Secret');
/** Called by Node's inspect and console.log. A registered symbol, so node:util is not needed. */
const INSPECT = Symbol.for('nodejs.util.inspect.custom');
const REDACTED = '[redacted]';

/** A hidden value, such as a password. */
export interface Secret {
  /** Returns the value. Call it only to pass the value to a vendor's SDK. */
  reveal(): string;
  toString(): string;
  toJSON(): string;
}

/** Hides a value: it prints as [redacted], also in JSON. */
export function secret(value: string): Secret {
  return new HiddenValue(value);
}

/** Whether the value was made by `secret`, in any copy of this package. */
export function isSecret(value: unknown): value is Secret {
  return typeof value === 'object' && value !== null && BRAND in value;
}

class HiddenValue implements Secret {
  readonly #value: string;

  constructor(value: string) {
    this.#value = value;
    Object.defineProperty(this, BRAND, { value: true });
  }

  reveal(): string {
    return this.#value;
  }

  toString(): string {
    return REDACTED;
  }

  toJSON(): string {
    return REDACTED;
  }

  [INSPECT](): string {
    return REDACTED;
  }
}
