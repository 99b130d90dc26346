/** Fails every call of the file system from a given step on, as if the process had died there. */

import fs from 'node:fs';

const SYNC = ['openSync', 'writeSync', 'fsyncSync', 'ftruncateSync', 'fchmodSync'] as const;
const ASYNC = ['open', 'rename', 'rm'] as const;

type Call = (...args: unknown[]) => unknown;

export interface Crash {
  readonly kind: 'completed' | 'crashed';
  /** The calls that were made: "rename /a/b". */
  readonly calls: readonly string[];
}

/** Runs `work`. The write at the step itself writes half of its bytes. */
export async function crashAt(step: number, work: () => Promise<void>): Promise<Crash> {
  const calls: string[] = [];
  const died = new Error('the process died');
  const isDead = (name: string, target: unknown): boolean => {
    calls.push(`${name} ${String(target)}`);
    return calls.length >= step;
  };
  const sync = fs as unknown as Record<string, Call>;
  const promises = fs.promises as unknown as Record<string, Call>;
  const restores: (() => void)[] = [];
  const patch = (
    object: Record<string, Call>,
    name: string,
    replacement: (real: Call) => Call,
  ): void => {
    const real = object[name] as Call;
    object[name] = replacement(real.bind(object));
    restores.push(() => {
      object[name] = real;
    });
  };
  for (const name of SYNC) {
    patch(sync, name, (real) => (...args) => {
      if (!isDead(name, args[0])) return real(...args);
      if (name === 'writeSync' && calls.length === step) {
        const [descriptor, bytes, offset, length, position] = args as [
          number,
          Uint8Array,
          number,
          number,
          number,
        ];
        real(descriptor, bytes, offset, Math.floor(length / 2), position);
      }
      throw died;
    });
  }
  for (const name of ASYNC) {
    patch(promises, name, (real) => async (...args) => {
      if (isDead(name, args[0])) throw died;
      return await real(...args);
    });
  }
  try {
    await work();
    return { kind: 'completed', calls };
  } catch (error) {
    if (calls.length < step) throw error;
    return { kind: 'crashed', calls };
  } finally {
    for (const restore of restores) restore();
  }
}
