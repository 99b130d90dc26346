/** The API for authors of backends: the contract and common helpers. Loads no native code. */

export {
  ReplicationError,
  isError,
  messageOf,
  type ConfigIssue,
  type ErrorCode,
  type FileFailure,
} from './error.ts';

export {
  defineBackend,
  type Backend,
  type ConnectContext,
  type DestinationDescription,
  type Logger,
  type Operation,
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
export { checked } from './store/policy/checked.ts';
export { percentDecoded, rootOfURLPath } from './store/layout.ts';

export { expandHome } from './config/home.ts';
export { normalizeEnvironment } from './config/environment.ts';
export { parseConfig, type ParsedConfig } from './config/parse-config.ts';
export { isSecret, secret, type Secret } from './config/secret.ts';
export type { ConfigSchema } from './config/schema.ts';
export { keysOfQuery } from './config/url-query.ts';
export {
  destinationData,
  type CredentialSource,
  type DestinationData,
  type DestinationSettings,
} from './library/destination-data.ts';
