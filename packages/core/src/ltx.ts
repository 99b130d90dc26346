/**
 * `@sluice/core/ltx`: the LTX format for tools that read or write LTX files themselves. Independent of
 * databases and networks. Loads no native code.
 *
 * `docs/format.md` describes the bytes. Everything except `merge` and `readPageIndex` is synchronous.
 * An invalid file is a {@link ReplicationError} with one of the codes LTX_INVALID, LTX_TRUNCATED,
 * LTX_CHECKSUM_MISMATCH, LTX_UNSUPPORTED, LTX_NOT_CONTIGUOUS.
 */

export { ReplicationError, isError, type ErrorCode } from './error.ts';
export { BATCH_BYTES_MAX, createKernel, type Kernel, type PageEncoding } from './kernel/kernel.ts';

export { formatTXID, nextTXID, parseTXID, toTXID, TXID_MAX, type TXID } from './ltx/txid.ts';
export { formatFilename, parseFilename } from './ltx/filename.ts';
export {
  decodeHeader,
  encodeHeader,
  FLAG_NO_CHECKSUM,
  HEADER_SIZE_BYTES,
  isPageSize,
  isSnapshot,
  lockPgno,
  validateHeader,
  type LTXHeader,
} from './ltx/header.ts';
export {
  decodeTrailer,
  encodeTrailer,
  TRAILER_SIZE_BYTES,
  type LTXTrailer,
} from './ltx/trailer.ts';
export { CHECKSUM_FLAG, pageChecksum, toFileChecksum, togglePage } from './ltx/checksum.ts';
export { decodePageIndex, type PageIndexEntry } from './ltx/page-index.ts';
export {
  locatePageIndex,
  PAGE_INDEX_BYTES_MAX,
  PAGE_INDEX_TAIL_BYTES,
  readPageIndex,
  type PageIndexRange,
  type ReadFileRange,
} from './ltx/file.ts';
export {
  LTXEncoder,
  type EncodedFrames,
  type EncoderOptions,
  type FinishedFile,
} from './ltx/encoder.ts';
export { isFullImage, LTXDecoder, type DecodedBatch, type DecodedFile } from './ltx/decoder.ts';
export { mergeHeaders } from './ltx/merged-header.ts';
export { merge, MERGE_INPUTS_MAX, type MergedFile, type MergeOptions } from './ltx/merge.ts';
