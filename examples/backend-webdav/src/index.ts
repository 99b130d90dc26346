/** Keeps replicas on a WebDAV server (RFC 4918): Nextcloud, a NAS, Apache, `rclone serve webdav`. */

import { checked, defineBackend, type Backend } from '@sluice/core/backend';
import { endpoint, rules, secret, text, together } from '@sluice/core/backend/config';
import { z } from 'zod';

import { WebDAVClient, type WebDAVConfig } from './client.ts';

export const backend: Backend<WebDAVConfig> = defineBackend({
  contract: 1,
  scheme: 'webdav',
  schema: z
    .strictObject({
      endpoint: endpoint('URL of a collection on the server', {
        example: 'https://cloud.example.com/remote.php/dav/files/app',
      }),
      user: text('user name').optional(),
      password: secret('password of the user').optional(),
      path: text('collection for the files of this database', { example: 'app' }),
    })
    .superRefine(...rules(together('user', 'password'))),
  describe: ({ endpoint }, path) => ({ target: `${endpoint}/${path}` }),
  fromURL: (url) => ({
    endpoint: `https://${url.host}`,
    path: url.pathname.slice(1),
    ...Object.fromEntries(url.searchParams),
  }),
  connect: async (config) => checked(new WebDAVClient(config)),
});
