/** What the author of a backend imports: the contract and its helpers. Loads no native code. */

export {
  ERROR_CODES,
  ReplicationError,
  assert,
  isError,
  messageOf,
  type ConfigIssue,
  type ErrorCode,
  type ErrorDetails,
  type FileFailure,
} from './error.ts';
export { readFully, readFullySync, writeFully, writeFullySync, type OpenFile } from './file-io.ts';
export { formatFilename, parseFilename } from './ltx/filename.ts';
export { formatTXID, parseTXID, toTXID, type TXID } from './ltx/txid.ts';

export {
  CLOSE_MS_MAX,
  defineBackend,
  type Backend,
  type Capabilities,
  type ConnectContext,
  type Destination,
  type Logger,
  type ParsedConfig,
} from './store/backend.ts';
export type {
  AbortableOptions,
  ByteRange,
  LTXBody,
  LTXFileInfo,
  LTXFileRef,
  ListOptions,
  LocalFile,
  NamedObjectInfo,
  NamedObjects,
  OpenOptions,
  OpenedFile,
  OpenedObject,
  PutOptions,
  ReplicaClient,
  WriteOptions,
} from './store/client.ts';
export {
  LEVEL_MAX,
  allLevelsPrefix,
  checkObjectName,
  keyOf,
  levelPrefix,
  objectKey,
  objectPrefix,
  parseKey,
  parseObjectKey,
  percentDecoded,
  rootOfURLPath,
  startAfterKey,
  type Layout,
} from './store/layout.ts';
export { whatIsWrongWithPath } from './store/plain-keys.ts';
export { bodyFromBytes } from './store/body.ts';
export { chaos, type Chaos, type Fault } from './store/chaos.ts';
export { Budget } from './store/http/part-memory.ts';
export { compareFiles } from './store/policy/checked.ts';
export {
  codeOfConnection,
  hintOfConnection,
  readSystemError,
  type SystemError,
} from './store/http/system-error.ts';
export { OBJECT_BYTES_MAX } from './store/policy/conflict.ts';
export { describeFile, describeReplica } from './replica/describe.ts';
export { keyedDestination } from './store/http/keyed-destination.ts';
export type {
  KeyFailure,
  KeyedBatches,
  KeyedCopied,
  KeyedDeletion,
  KeyedListing,
  KeyedObject,
  KeyedOpened,
  KeyedOpening,
  KeyedPage,
  KeyedPaging,
  KeyedStore,
  KeyedUpload,
  KeyedUploaded,
} from './store/http/keyed-store.ts';
export type { StoreCall } from './store/store-call.ts';
export { HTTP_SILENCE_MS_MAX, httpAgent, type HTTPAgentOptions } from './store/http/agent.ts';
export {
  errorOfForeignAnswer,
  isPage,
  isRedirect,
  NotTheProvider,
  rootOfXML,
  type ForeignAnswer,
} from './store/http/answer.ts';
export { rangeHeader, sizeOfContentRange } from './store/http/range.ts';
export {
  codeOfStatus,
  readRetryAfter,
  errorOfRefusal,
  textOf,
  type Refusal,
  type RefusalMeaning,
} from './store/http/refusal.ts';
export { folderDestination } from './store/folder/destination.ts';
export {
  ASIDE_SUFFIX,
  LEFTOVER_AGE_MS,
  TEMP_SUFFIX,
  isLeftover,
  temporaryPath,
} from './store/folder/names.ts';
export type {
  FolderContent,
  FolderFileInfo,
  FolderHandle,
  FolderPlaceOptions,
  FolderStore,
} from './store/folder/store.ts';
export { inTurn } from './store/folder/turns.ts';
export { findUnmounted } from './store/folder/mount-points.ts';
export { readSource } from './store/folder/source.ts';
export { type FolderEntry } from './store/folder/walk.ts';
export { memoryDestination, type MemoryOptions } from './store/memory.ts';
export { MemoryStore } from './store/memory-place.ts';
export { storeDestination, type ObjectStore, type StoredKey } from './store/object-store.ts';
export { readBytes } from './store/read-bytes.ts';
export {
  wrapDestination,
  type WrappedDestination,
  type WrapOptions,
} from './replica/destination.ts';
export { openParts, PartReader, partSizeFor } from './store/http/part-reader.ts';
export { waitToResend } from './store/http/resend.ts';
export {
  sendInParts,
  sendLast,
  sendWhole,
  type PartLimits,
  type Sending,
} from './store/http/send-body.ts';
export { SOCKETS_MAX, type Hold } from './store/http/sockets.ts';
export { untilAborted } from './store/until-aborted.ts';
export { linkSignals, type LinkedSignal } from './store/link-signals.ts';
export { formatTimestamp, parseTimestamp } from './store/timestamp.ts';
export { Work, type RequestOptions, type WhenAborted } from './store/http/requests.ts';

export { formatBytes, parseBytes } from './config/bytes.ts';
export { formatDuration, parseDuration } from './config/duration.ts';
export { expandHome, homeFolder } from './config/home.ts';
export { HOST_KEYS } from './config/host-keys.ts';
export { mendEnvironment } from './config/environment.ts';
export { whatIsWrongWithBucket } from './config/bucket.ts';
export { nearest } from './config/nearest.ts';
export { ConfigReader, type NumberLimits } from './config/reader.ts';
export { sameConfig } from './config/same.ts';
export { isSecret, secret, type Secret } from './config/secret.ts';
export { parseEndpoint, withKeysOfURL } from './config/url-input.ts';
export { keysOfQuery } from './config/url-query.ts';
