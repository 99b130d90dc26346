/** Every variable of the environment that we read. Drives docs/configuration.md. */

export interface Variable {
  readonly name: string;
  readonly help: string;
}

export const VARIABLES: readonly Variable[] = [
  { name: 'SLUICE_CONFIG', help: 'the configuration, where -config names none' },
  { name: 'LITESTREAM_CONFIG', help: 'the same, where SLUICE_CONFIG is not set' },
  {
    name: 'LOG_LEVEL',
    help: 'wins over logging.level; other words than its values are passed over',
  },
  { name: 'AWS_*', help: 'read by the AWS SDK itself: credentials, region, profile, roles' },
  {
    name: 'GOOGLE_APPLICATION_CREDENTIALS',
    help: 'read by Google’s SDK itself: a file with credentials; there are other places it looks at',
  },
  { name: 'STORAGE_EMULATOR_HOST', help: 'a Google Cloud Storage for tests, without credentials' },
  {
    name: 'SLUICE_ACCESS_KEY_ID, SLUICE_SECRET_ACCESS_KEY',
    help: 'stand for AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, where those are not set',
  },
  {
    name: 'LITESTREAM_ACCESS_KEY_ID, LITESTREAM_SECRET_ACCESS_KEY',
    help: 'the same, where SLUICE_… are not set either',
  },
  {
    name: 'SLUICE_AZURE_ACCOUNT_KEY, SLUICE_AZURE_SAS_TOKEN',
    help: 'account-key and sas-token of type abs, where neither a key nor a token is configured',
  },
  {
    name: 'LITESTREAM_AZURE_ACCOUNT_KEY, LITESTREAM_AZURE_SAS_TOKEN',
    help: 'the same, where SLUICE_… are not set',
  },
  { name: 'AZURE_*', help: 'read by @azure/identity itself: identities, where there is no key' },
];

/** Of a variable that is not set, `<name>_FILE` may name a file that holds its value. */
export const FILE_SUFFIX = '_FILE';
