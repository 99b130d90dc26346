/** A thread that restores windows of a database. */

import { workerData } from 'node:worker_threads';
import type { HashedPart } from '../../ltx/checksum.ts';
import { type Failure, toFailure } from '../../threads/failure.ts';
import { serve } from '../../threads/serve.ts';
import { SliceError, WindowDecoder, type WindowSettings } from './window-decoder.ts';
import type { Window } from './windows.ts';

export interface WindowService {
  readonly decode: { readonly request: Window; readonly answer: WindowAnswer };
}

export type WindowAnswer =
  | { readonly kind: 'decoded'; readonly hashed: readonly HashedPart[] }
  /** `file` does not match its index. */
  | { readonly kind: 'unusable'; readonly file: number; readonly failure: Failure };

const decoder = new WindowDecoder(workerData as WindowSettings);

serve<WindowService>({
  decode(window) {
    try {
      return { kind: 'decoded', hashed: decoder.decode(window) };
    } catch (error) {
      if (!(error instanceof SliceError)) throw error;
      return { kind: 'unusable', file: error.file, failure: toFailure(error.cause) };
    }
  },
});
