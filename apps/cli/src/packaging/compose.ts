/** A Compose file with the service `sluice`, to be merged with that of the application. */

import path from 'node:path';
import { quote, type Deployment } from './deployment.ts';

/** More than the last sync takes by default: docs/operations.md. */
export const GRACE_SECONDS = 90;

export function renderCompose(deployment: Deployment): string {
  const { database, config, folders, credentials, account, image } = deployment;
  const mounts = folders.map((folder) => `      - ${quote(`${folder}:${folder}`)}\n`).join('');
  const environment =
    credentials.length === 0
      ? ''
      : `    environment: # taken from the environment of docker compose, or from its file .env
${credentials.map((name) => `      - ${name}\n`).join('')}`;
  return `# Sluice for ${database}: docker compose -f compose.yml -f sluice.compose.yml up -d
# Both containers must run on this machine and see the same folder: SQLite shares memory through it.
services:
  sluice:
    image: ${quote(image)}
    command: [replicate, -config, /etc/sluice.yml]
    # The user that owns the database; the application needs the same one. It must be able to read the configuration.
    user: '${account.uid}:${account.gid}'
    restart: unless-stopped
    # The last commits are sent after SIGTERM; then Docker waits this long before SIGKILL.
    stop_grace_period: ${GRACE_SECONDS}s
${environment}\
    volumes:
      - ${quote(`./${path.basename(config)}:/etc/sluice.yml:ro`)}
${mounts}\
    read_only: true
    tmpfs: [/tmp]
    cap_drop: [ALL]
    security_opt: ['no-new-privileges:true']
`;
}
