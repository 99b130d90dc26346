/**
 * The keys of destinations, part of the table in keys.ts. Those of our own types are judged by the
 * backends themselves: a test holds that both agree.
 */

import { notYet, noted, refused, type Fate } from './fate.ts';
import {
  BOOLEAN,
  COUNT,
  DURATION,
  INTERVAL,
  NOTHING_IS_DELETED,
  rowOf,
  SECRET,
  SIZE,
  SNAPSHOT_INTERVAL,
  TEXT,
  type Key,
  type KeyType,
} from './key.ts';

const replica = rowOf('replica');
const BOTH = { knownBy: 'both' } as const;
const S3 = { knownBy: '0.5', of: ['s3'] } as const;
const S3_BOTH = { knownBy: 'both', of: ['s3'] } as const;
const S3_OURS = { knownBy: 'ours', of: ['s3'] } as const;
const GCS_BOTH = { knownBy: 'both', of: ['gs', 'gcs'] } as const;
const GCS_OURS = { knownBy: 'ours', of: ['gs', 'gcs'] } as const;
const ABS_BOTH = { knownBy: 'both', of: ['abs'] } as const;
const ABS_OURS = { knownBy: 'ours', of: ['abs'] } as const;
const SFTP = { knownBy: '0.5', of: ['sftp'] } as const;
const SFTP_BOTH = { knownBy: 'both', of: ['sftp'] } as const;
const SFTP_OURS = { knownBy: 'ours', of: ['sftp'] } as const;

const COMMON: readonly Key[] = [
  replica('type', TEXT, 'file', 'file, s3, gs, abs, sftp, or the name of a package', {
    ...BOTH,
    standard: 'that of url, else file',
  }),
  replica('name', TEXT, 'offsite', 'how it is called', {
    ...BOTH,
    standard: 'its type, then s3-2, s3-3, …',
  }),
  replica('path', TEXT, '/backup/other', 'where the files of this database lie', BOTH),
  replica('url', TEXT, 's3://bucket/app', 'type, place and settings in one', BOTH),
  replica('sync-interval', INTERVAL, '500ms', 'one file per this time on average; see below', {
    ...BOTH,
    standard: '1s',
  }),
  replica('snapshot-interval', SNAPSHOT_INTERVAL, '6h', 'as snapshot.interval; see below', {
    knownBy: '0.3',
    standard: 'snapshot.interval',
  }),
  replica('retention', DURATION, '72h', 'how long history is kept', {
    knownBy: '0.3',
    fate: NOTHING_IS_DELETED,
  }),
  replica('retention-check-interval', DURATION, '1h', 'how often that is looked at', {
    knownBy: '0.3',
    fate: NOTHING_IS_DELETED,
  }),
  replica('validation-interval', DURATION, '6h', 'restore, and compare', {
    ...BOTH,
    fate: notYet('backups are not checked by themselves', 'use "sluice restore -integrity-check"'),
  }),
  replica('max-sync-ltx-files', COUNT, '100', 'files in one batch', {
    fate: refused('files are not sent in batches', 'leave it out'),
  }),
  replica('auto-recover', BOOLEAN, 'true', 'start anew where local state is broken', {
    fate: noted('always so: continuity is proved, or an image is taken'),
  }),
  ...['age.identities', 'age.recipients'].map((name) =>
    replica(name, { kind: 'list' }, '[age1example]', 'client-side encryption', {
      knownBy: '0.3',
      fate: notYet(
        'files are not encrypted by us, and must not lie there in the clear unnoticed',
        'use the encryption of the destination (sse-kms-key-id), or Litestream 0.3.13',
      ),
    }),
  ),
];

const S3_KEYS: readonly Key[] = [
  replica('bucket', TEXT, 'my-backups', 'the bucket', S3_BOTH),
  replica('region', TEXT, 'eu-west-1', 'its region; the SDK’s own settings, if not given', S3_BOTH),
  replica('endpoint', TEXT, 'https://s3.example.com', 'of another provider than AWS', S3_BOTH),
  replica('access-key-id', TEXT, 'AKIAEXAMPLE', 'with secret-access-key', {
    ...S3_BOTH,
    standard: 'the credential chain of the AWS SDK',
  }),
  replica('secret-access-key', SECRET, 'example-secret', 'with access-key-id', S3_BOTH),
  replica('session-token', SECRET, 'example-token', 'of temporary credentials', S3_OURS),
  ...['access-key-id', 'secret-access-key', 'session-token'].map((name) =>
    replica(`${name}-file`, TEXT, `/run/secrets/${name}`, `a file that holds ${name}`, S3_OURS),
  ),
  replica('force-path-style', BOOLEAN, 'true', 'bucket in the path instead of the host name', {
    ...S3_BOTH,
    standard: 'true with an endpoint of one’s own',
  }),
  replica('skip-verify', BOOLEAN, 'true', 'take any TLS certificate', {
    ...S3_BOTH,
    standard: 'false',
  }),
  replica('sign-payload', BOOLEAN, 'false', 'sign the SHA-256 of bodies', {
    ...S3,
    standard: 'true',
  }),
  replica('require-content-md5', BOOLEAN, 'false', 'Content-MD5 on DeleteObjects', {
    ...S3,
    standard: 'what the provider needs',
  }),
  replica('storage-class', TEXT, 'STANDARD_IA', 'of new objects', {
    ...S3,
    standard: 'the bucket’s',
  }),
  replica('part-size', SIZE, '16MiB', 'of multipart uploads, from 5 MiB', {
    ...S3,
    standard: '8MiB',
  }),
  replica('concurrency', COUNT, '4', 'parts at once', {
    ...S3,
    standard: 'what the provider bears',
  }),
  replica('sse-customer-algorithm', TEXT, 'AES256', 'with sse-customer-key', S3),
  replica(
    'sse-customer-key',
    SECRET,
    'MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=',
    'the server encrypts with this key (base64, 32 bytes), and forgets it',
    S3,
  ),
  replica('sse-customer-key-path', TEXT, '/run/secrets/sse-key', 'a file that holds it', S3),
  replica('sse-kms-key-id', TEXT, 'alias/backups', 'the server encrypts with this KMS key', S3),
  replica(
    'object-lock-mode',
    TEXT,
    'GOVERNANCE',
    'new files cannot be deleted for object-lock-retention (or COMPLIANCE: by nobody)',
    S3_OURS,
  ),
  replica('object-lock-retention', TEXT, '720h', 'a duration, with object-lock-mode', S3_OURS),
];

const GCS_KEYS: readonly Key[] = [
  replica('bucket', TEXT, 'my-backups', 'the bucket', GCS_BOTH),
  replica(
    'credentials',
    SECRET,
    '\'{"type": "service_account"}\'',
    'a service account’s key, in JSON',
    {
      ...GCS_OURS,
      standard: 'application default credentials',
    },
  ),
  replica('credentials-file', TEXT, '/run/secrets/key.json', 'a file that holds it', GCS_OURS),
  replica('endpoint', TEXT, 'https://storage.example.com', 'instead of Google’s own', {
    ...GCS_OURS,
    standard: 'STORAGE_EMULATOR_HOST, or Google’s',
  }),
  replica('part-size', SIZE, '16MiB', 'of resumable uploads, a multiple of 256 KiB', {
    ...GCS_OURS,
    standard: '8MiB',
  }),
];

const ABS_KEYS: readonly Key[] = [
  replica('bucket', TEXT, 'backups', 'the container', ABS_BOTH),
  replica('account-name', TEXT, 'account', 'the storage account', {
    ...ABS_BOTH,
    standard: 'that of the URL',
  }),
  replica('endpoint', TEXT, 'https://a.example.com', 'of another cloud, or of an emulator', {
    ...ABS_BOTH,
    standard: 'https://<account-name>.blob.core.windows.net',
  }),
  replica('account-key', SECRET, 'a2V5', 'a key of the account', {
    ...ABS_BOTH,
    standard: 'what DefaultAzureCredential finds',
  }),
  replica('sas-token', SECRET, 'sv=1&sig=c2ln', 'a token; wins over account-key', {
    ...ABS_BOTH,
    knownBy: '0.5',
  }),
  replica(
    'sas-token-path',
    TEXT,
    '/run/secrets/sas-token',
    'a file that holds it, read for each request: it may change',
    ABS_OURS,
  ),
  replica(
    'connection-string',
    SECRET,
    'AccountName=account;AccountKey=a2V5',
    'account, endpoint, key or token in one',
    ABS_OURS,
  ),
  ...['account-key', 'sas-token', 'connection-string'].map((name) =>
    replica(`${name}-file`, TEXT, `/run/secrets/${name}`, `a file that holds ${name}`, ABS_OURS),
  ),
  replica('access-tier', TEXT, 'Cool', 'of new files: Hot, Cool or Cold', {
    ...ABS_OURS,
    standard: 'the account’s',
  }),
  replica('part-size', SIZE, '16MiB', 'of blocks, from 1 MiB; smaller files are one request', {
    ...ABS_OURS,
    standard: '8MiB',
  }),
  replica('concurrency', COUNT, '2', 'blocks at once', { ...ABS_OURS, standard: '4' }),
];

const SFTP_KEYS: readonly Key[] = [
  replica('host', TEXT, 'backup.example.com:22', 'host, or host:port', SFTP_BOTH),
  replica('user', TEXT, 'backup', 'who logs in', SFTP_BOTH),
  replica('password', SECRET, 'example-password', 'of that user', SFTP_BOTH),
  replica('password-file', TEXT, '/run/secrets/password', 'a file that holds it', SFTP_OURS),
  replica('key-path', TEXT, '~/.ssh/id_ed25519', 'a private key', SFTP_BOTH),
  replica('passphrase', SECRET, 'example-passphrase', 'of that key', SFTP_OURS),
  replica('passphrase-file', TEXT, '/run/secrets/passphrase', 'a file that holds it', SFTP_OURS),
  replica('agent', TEXT, '/run/user/1000/ssh-agent', 'the socket of an SSH agent', {
    ...SFTP_OURS,
    standard: '$SSH_AUTH_SOCK, without password and key-path',
  }),
  replica(
    'host-key',
    TEXT,
    'SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU',
    'the key that the server must show: a line as in authorized_keys, or its fingerprint',
    SFTP,
  ),
  replica(
    'known-hosts',
    TEXT,
    '~/.ssh/known_hosts',
    'a file of such keys, as ssh has it',
    SFTP_OURS,
  ),
  replica('concurrent-writes', BOOLEAN, 'false', 'several pieces of a file on their way at once', {
    ...SFTP,
    standard: 'true',
  }),
];

/** Keys of kinds of destination that are not ours, yet or ever. */
interface Foreign {
  readonly of: string;
  readonly fate: Fate;
  readonly knownBy: '0.5' | 'both';
  readonly keys: readonly (readonly [string, KeyType, string])[];
}

const NEVER = (what: string, instead: string): Fate =>
  refused(`${what} has no backend of ours`, instead);
const PACKAGE = 'a package can add one (type: its name)';

/** Why a type is refused; the type is named in the message. */
export const FOREIGN_TYPES: Readonly<Record<string, Fate>> = {
  nats: NEVER('NATS', PACKAGE),
  webdav: NEVER('WebDAV', PACKAGE),
  webdavs: NEVER('WebDAV', PACKAGE),
  oss: NEVER('Alibaba OSS', 'use s3 with the S3-compatible endpoint of the region'),
};

const FOREIGN: readonly Foreign[] = [
  {
    of: 'webdav',
    fate: NEVER('WebDAV', PACKAGE),
    knownBy: '0.5',
    keys: [
      ['webdav-url', TEXT, 'https://dav.example.com'],
      ['webdav-username', TEXT, 'user'],
      ['webdav-password', SECRET, 'password'],
    ],
  },
  {
    of: 'nats',
    fate: NEVER('NATS', PACKAGE),
    knownBy: '0.5',
    keys: [
      ['jwt', SECRET, 'jwt'],
      ['seed', SECRET, 'seed'],
      ['creds', TEXT, '/etc/creds'],
      ['nkey', SECRET, 'nkey'],
      ['username', TEXT, 'user'],
      ['token', SECRET, 'token'],
      ['tls', BOOLEAN, 'true'],
      ['root-cas', { kind: 'list' }, '[/etc/ca.pem]'],
      ['client-cert', TEXT, '/etc/cert.pem'],
      ['client-key', TEXT, '/etc/key.pem'],
      ['max-reconnects', COUNT, '5'],
      ['reconnect-wait', DURATION, '2s'],
      ['timeout', DURATION, '10s'],
    ],
  },
];

export const REPLICA_KEYS: readonly Key[] = [
  ...COMMON,
  ...S3_KEYS,
  ...GCS_KEYS,
  ...ABS_KEYS,
  ...SFTP_KEYS,
  ...FOREIGN.flatMap(({ of, fate, knownBy, keys }) =>
    keys.map(([name, type, example]) =>
      replica(name, type, example, `of type ${of}`, { of: [of], fate, knownBy }),
    ),
  ),
];
