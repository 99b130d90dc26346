/** A thread that restores windows of a database. */

import { assert } from '../../error.ts';
import type { HashedPart } from '../../ltx/checksum.ts';
import { type Failure, toFailure } from '../../threads/failure.ts';
import { serve } from '../../threads/serve.ts';
import { SliceError, WindowDecoder, type WindowSettings } from './window-decoder.ts';
import { WINDOWS_AT_ONCE, type Window } from './windows.ts';

export interface WindowService {
  /** Before the first window. */
  readonly open: { readonly request: WindowSettings; readonly answer: void };
  readonly decode: { readonly request: Window; readonly answer: WindowAnswer };
}

export type WindowAnswer =
  | { readonly kind: 'decoded'; readonly hashed: readonly HashedPart[] }
  /** `file` does not match its index. */
  | { readonly kind: 'unusable'; readonly file: number; readonly failure: Failure };

let idle: WindowDecoder[] = [];

serve<WindowService>({
  open(settings) {
    idle = Array.from({ length: WINDOWS_AT_ONCE }, () => new WindowDecoder(settings));
  },
  async decode(window) {
    const decoder = idle.pop();
    assert(decoder !== undefined, 'a thread has at most WINDOWS_AT_ONCE windows');
    try {
      return { kind: 'decoded', hashed: await decoder.decode(window) };
    } catch (error) {
      if (!(error instanceof SliceError)) throw error;
      return { kind: 'unusable', file: error.file, failure: toFailure(error.cause) };
    } finally {
      idle.push(decoder);
    }
  },
});
