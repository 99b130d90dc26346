/** All environment variables that Sluice reads. docs/configuration.md is built from this table. */

export interface Variable {
  readonly name: string;
  readonly help: string;
}

export const VARIABLES: readonly Variable[] = [
  { name: 'SLUICE_CONFIG', help: 'path of the configuration, if -config is not given' },
  { name: 'LITESTREAM_CONFIG', help: 'the same, if SLUICE_CONFIG is not set' },
  {
    name: 'LOG_LEVEL',
    help: 'overrides logging.level; unknown values are ignored',
  },
  { name: 'AWS_*', help: 'read by the AWS SDK itself: credentials, region, profile, roles' },
  {
    name: 'GOOGLE_APPLICATION_CREDENTIALS',
    help: 'read by Google’s SDK itself: a file with credentials; the SDK has other sources too',
  },
  {
    name: 'STORAGE_EMULATOR_HOST',
    help: 'address of a Google Cloud Storage emulator, used without credentials',
  },
  {
    name: 'SLUICE_ACCESS_KEY_ID, SLUICE_SECRET_ACCESS_KEY',
    help: 'used as AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY if those are not set',
  },
  {
    name: 'LITESTREAM_ACCESS_KEY_ID, LITESTREAM_SECRET_ACCESS_KEY',
    help: 'the same, if SLUICE_… are not set either',
  },
  {
    name: 'SLUICE_AZURE_ACCOUNT_KEY, SLUICE_AZURE_SAS_TOKEN',
    help: 'account-key and sas-token of type abs, if neither a key nor a token is configured',
  },
  {
    name: 'LITESTREAM_AZURE_ACCOUNT_KEY, LITESTREAM_AZURE_SAS_TOKEN',
    help: 'the same, if SLUICE_… are not set',
  },
  {
    name: 'SLUICE_AGE_IDENTITY',
    help: 'private keys of age, to read encrypted backups: used for destinations with encryption, and for URLs',
  },
  { name: 'AZURE_*', help: 'read by @azure/identity itself: identities, if there is no key' },
];

/** If a variable is not set, `<name>_FILE` may name a file with its value. */
export const FILE_SUFFIX = '_FILE';
