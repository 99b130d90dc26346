/** A thread that decodes pieces of files and writes their pages. */

import { workerData } from 'node:worker_threads';
import { serve, Transferred } from '../../threads/serve.ts';
import type { DecoderSettings, PieceService } from './messages.ts';
import { PieceDecoder } from './piece-decoder.ts';

const { descriptor } = workerData as DecoderSettings;
const decoder = new PieceDecoder(descriptor);

serve<PieceService>({
  decode(piece) {
    const { slab } = piece;
    return new Transferred({ slab, crc: decoder.decode(piece) }, [slab.buffer]);
  },
});
