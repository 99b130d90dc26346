/** Tools for backends that speak HTTP. Loads no native code. */

export { linkSignals } from './store/abort.ts';
export { HTTP_SILENCE_MS_MAX, httpAgent } from './store/http/agent.ts';
export {
  errorOfForeignAnswer,
  isPage,
  isRedirect,
  ForeignAnswerError,
  rootOfXML,
  type ForeignAnswer,
} from './store/http/answer.ts';
export { listPages, type Page } from './store/http/list-pages.ts';
export {
  openObject,
  type ObjectOpener,
  type OpenCall,
  type OpenedStream,
} from './store/http/open-object.ts';
export { PartMemory } from './store/http/part-memory.ts';
export { openParts, partSizeFor } from './store/http/part-reader.ts';
export { checkStored, goneError } from './store/http/proof.ts';
export { deleteEach, deleteError } from './store/delete-each.ts';
export { rangeHeader, sizeOfContentRange } from './store/http/range.ts';
export {
  codeOfStatus,
  errorOfRefusal,
  readRetryAfter,
  textOf,
  type Refusal,
  type RefusalMeaning,
} from './store/http/refusal.ts';
export {
  Requests,
  type Call,
  type RequestOptions,
  type WhenAborted,
} from './store/http/requests.ts';
export { waitToResend } from './store/http/resend.ts';
export {
  sendInParts,
  sendLast,
  sendWhole,
  type UploadContext,
  type Upload,
} from './store/http/send-body.ts';
export {
  codeOfConnection,
  hintOfConnection,
  readSystemError,
  type SystemError,
} from './store/http/system-error.ts';
export { formatTimestamp, parseTimestamp } from './store/timestamp.ts';
