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
  type DestinationDescription,
  type Logger,
  type Verb,
} from './replica/backend.ts';
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
} from './replica/client.ts';
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
} from './replica/layout.ts';
export { bodyFromBytes } from './replica/body.ts';
export { chaos, type Chaos, type Fault } from './replica/chaos.ts';
export { Budget } from './replica/budget.ts';
export { compareFiles } from './replica/checked.ts';
export {
  codeOfConnection,
  hintOfConnection,
  readSystemError,
  type SystemError,
} from './replica/system-error.ts';
export { OBJECT_BYTES_MAX } from './replica/conflict.ts';
export { describeFile, describeReplica } from './replica/describe.ts';
export { keyedDestination } from './replica/keyed-destination.ts';
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
} from './replica/keyed-store.ts';
export type { StoreCall } from './replica/store-call.ts';
export { HTTP_SILENCE_MS_MAX, httpAgent, type HTTPAgentOptions } from './replica/http-agent.ts';
export {
  errorOfForeignAnswer,
  isPage,
  isRedirect,
  NotTheProvider,
  rootOfXML,
  type ForeignAnswer,
} from './replica/http-answer.ts';
export { rangeHeader, sizeOfContentRange } from './replica/http-range.ts';
export {
  codeOfStatus,
  readRetryAfter,
  errorOfRefusal,
  textOf,
  type Refusal,
  type RefusalMeaning,
} from './replica/http-refusal.ts';
export { folderDestination } from './replica/folder-destination.ts';
export {
  ASIDE_SUFFIX,
  LEFTOVER_AGE_MS,
  TEMP_SUFFIX,
  isLeftover,
  temporaryPath,
} from './replica/folder-names.ts';
export type {
  FolderContent,
  FolderFileInfo,
  FolderHandle,
  FolderPlaceOptions,
  FolderStore,
} from './replica/folder-store.ts';
export { inTurn } from './replica/folder-turns.ts';
export { findUnmounted } from './replica/mount-points.ts';
export { readSource } from './replica/source.ts';
export { type FolderEntry } from './replica/walk-objects.ts';
export { memoryDestination, type MemoryOptions } from './replica/memory.ts';
export { MemoryStore } from './replica/memory-place.ts';
export { storeDestination, type ObjectStore, type StoredKey } from './replica/object-store.ts';
export { readBytes } from './replica/read-bytes.ts';
export { wrapDestination, type WrappedDestination, type WrapOptions } from './replica/wrap.ts';
export { openParts, PartReader, partSizeFor } from './replica/part-reader.ts';
export { waitToResend } from './replica/resend.ts';
export {
  sendInParts,
  sendLast,
  sendWhole,
  type PartLimits,
  type Sending,
} from './replica/send-body.ts';
export { SOCKETS_MAX, type Hold } from './replica/sockets.ts';
export { untilAborted } from './replica/until-aborted.ts';
export { linkSignals, type LinkedSignal } from './replica/link-signals.ts';
export { formatTimestamp, parseTimestamp } from './replica/timestamp.ts';
export { Work, type RequestOptions, type WhenAborted } from './replica/work.ts';

export { formatBytes, parseBytes } from './config/bytes.ts';
export { formatDuration, parseDuration } from './config/duration.ts';
export { expandHome, homeFolder } from './config/home.ts';
export { HOST_KEYS } from './config/host-keys.ts';
export { mendEnvironment } from './config/environment.ts';
export { nearest } from './config/nearest.ts';
export { parseConfig, type ParsedConfig } from './config/parse-config.ts';
export { sameConfig } from './config/same.ts';
export { isSecret, secret, type Secret } from './config/secret.ts';
export type { ConfigSchema, JSONSchema } from './config/schema.ts';
export { keysOfQuery } from './config/url-query.ts';
export { parseURL } from './config/url.ts';
