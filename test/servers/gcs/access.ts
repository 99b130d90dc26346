/** Service accounts with self-signed tokens, and their roles. */

import { createVerify, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { Refused, type LoggedRequest, type Operation } from './exchange.ts';

/** Permissions of the roles, as Google documents them. */
const ROLES = {
  'roles/storage.objectUser': ['create', 'delete', 'get', 'list'],
  'roles/storage.objectViewer': ['get', 'list'],
  'roles/storage.objectCreator': ['create'],
} as const;

export type Role = keyof typeof ROLES;

export interface Account {
  readonly email: string;
  readonly publicKey: KeyObject;
  readonly roles: readonly Role[];
}

const NEEDED: Readonly<Record<Operation, readonly string[]>> = {
  list: ['list'],
  get: ['get'],
  media: ['get'],
  delete: ['delete'],
  rewrite: ['get', 'create'],
  put: ['create'],
  'begin-upload': ['create'],
  // An upload session needs no further permission.
  'put-part': [],
  'ask-upload': [],
  'end-upload': [],
};

/** Throws if a permission is missing. Replacing an object also needs the permission to delete. */
export function checkAccess(
  { operation, headers, query }: LoggedRequest,
  accounts: readonly Account[] | undefined,
  isThere: boolean,
): void {
  if (accounts === undefined || NEEDED[operation].length === 0) return;
  const account = authenticate(headers.authorization, accounts);
  const isPut = operation === 'put' || operation === 'begin-upload';
  const isReplaced = isPut && isThere && query.get('ifGenerationMatch') !== '0';
  const needed = [...NEEDED[operation], ...(isReplaced ? ['delete'] : [])];
  const granted = new Set<string>(account.roles.flatMap((role) => ROLES[role]));
  const missing = needed.find((permission) => !granted.has(permission));
  if (missing === undefined) return;
  const message = `${account.email} does not have storage.objects.${missing} access to the Google Cloud Storage object.`;
  throw new Refused(403, 'forbidden', message);
}

function authenticate(header: string | undefined, accounts: readonly Account[]): Account {
  const [head = '', claims = '', signature = ''] = (header ?? '').replace('Bearer ', '').split('.');
  const { iss } = JSON.parse(Buffer.from(claims, 'base64url').toString() || '{}') as {
    iss?: string;
  };
  const account = accounts.find(({ email }) => email === iss);
  const isTheirs =
    account !== undefined &&
    createVerify('RSA-SHA256')
      .update(`${head}.${claims}`)
      .verify(account.publicKey, signature, 'base64url');
  if (isTheirs) return account;
  throw new Refused(401, 'authError', 'Invalid Credentials');
}

/** Creates an account with its own key, and its credentials for a client. */
export function serviceAccount(
  name: string,
  roles: readonly Role[],
): { account: Account; credentials: string; secret: string } {
  const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const email = `${name}@sluice-test.iam.gserviceaccount.com`;
  const pem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  return {
    account: { email, publicKey, roles },
    credentials: JSON.stringify({
      type: 'service_account',
      client_email: email,
      private_key_id: name,
      private_key: pem,
    }),
    // One line of the key, to search messages for.
    secret: pem.split('\n')[2] ?? '',
  };
}
