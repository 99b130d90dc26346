/** Tools for hosts that read configurations: values, schemas, URLs. Loads no native code and no zod. */

export { formatBytes, parseBytes } from './config/bytes.ts';
export { formatDuration, parseDuration } from './config/duration.ts';
export { homeFolder } from './config/home.ts';
export { HOST_KEYS } from './config/host-keys.ts';
export { nearest } from './config/nearest.ts';
export { sameConfig } from './config/same.ts';
export {
  jsonSchemaOf,
  propertiesOf,
  typesOf,
  type JSONSchema,
  type ValueKind,
} from './config/schema.ts';
export { isMap, validate, type ValidateOptions, type Validated } from './config/validate.ts';
export { parseURL } from './config/url.ts';
