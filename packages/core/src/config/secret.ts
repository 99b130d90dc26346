/** A value that must not be printed. Told apart by a registered symbol: two copies agree. */

const BRAND = Symbol.for('sluice.Secret');
/** What Node's inspect, and so console.log, calls. Registered, so no import of node:util. */
const INSPECT = Symbol.for('nodejs.util.inspect.custom');
const REDACTED = '[redacted]';

export interface Secret {
  /** The value itself. Call it where it is handed to a vendor's SDK, and nowhere else. */
  reveal(): string;
  toString(): string;
  toJSON(): string;
}

export function secret(value: string): Secret {
  return new HiddenValue(value);
}

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
