/** What the author of a backend imports: the contract and its tools. Loads no native code. */

export {
  ReplicationError,
  isError,
  messageOf,
  type ConfigIssue,
  type ErrorCode,
  type FileFailure,
} from './error.ts';
export { readFully, writeFully } from './file-io.ts';

export {
  defineBackend,
  type Backend,
  type ConnectContext,
  type DestinationDescription,
  type Logger,
  type Verb,
} from './store/backend.ts';
export {
  CLOSE_MS_MAX,
  type ByteRange,
  type CallOptions,
  type Capabilities,
  type DeleteOptions,
  type GetOptions,
  type Layout,
  type ListOptions,
  type LocalFile,
  type ObjectBody,
  type ObjectInfo,
  type OpenedObject,
  type PutOptions,
  type ReplicaClient,
} from './store/client.ts';
export { bodyFromBytes, readBytes } from './store/body.ts';
export { chaos, type Chaos, type Fault } from './store/chaos.ts';
export { memoryClient, MemoryStore, type MemoryOptions } from './store/memory.ts';
export { untilAborted } from './store/abort.ts';
export { checked } from './store/policy/checked.ts';
export { withPolicies } from './store/policy/policies.ts';
export { complete } from './store/policy/complete.ts';
export { Replica, type LTXFileInfo } from './replica/replica.ts';
export type { NamedObjectInfo, NamedObjects } from './replica/named-objects.ts';
export {
  allLevelsPrefix,
  keyOf,
  parseKey,
  percentDecoded,
  rootOfURLPath,
  type LTXFileRef,
} from './store/layout.ts';
export { toTXID } from './ltx/txid.ts';

export { formatBytes, parseBytes } from './config/bytes.ts';
export { formatDuration, parseDuration } from './config/duration.ts';
export { expandHome, homeFolder } from './config/home.ts';
export { HOST_KEYS } from './config/host-keys.ts';
export { mendEnvironment } from './config/environment.ts';
export { nearest } from './config/nearest.ts';
export { parseConfig, type ParsedConfig } from './config/parse-config.ts';
export { sameConfig } from './config/same.ts';
export { isSecret, secret, type Secret } from './config/secret.ts';
export {
  jsonSchemaOf,
  propertiesOf,
  typesOf,
  type ConfigSchema,
  type JSONSchema,
  type ValueKind,
} from './config/schema.ts';
export { isMap, validate, type ValidateOptions, type Validated } from './config/validate.ts';
export { keysOfQuery } from './config/url-query.ts';
export { parseURL } from './config/url.ts';
