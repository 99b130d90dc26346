/** An accessory of Kamal: `accessories` of config/deploy.yml. */

import { quote, type Deployment } from './deployment.ts';
import { GRACE_SECONDS } from './compose.ts';

export function renderKamal(deployment: Deployment): string {
  const { database, folders, credentials, account, image } = deployment;
  const secrets =
    credentials.length === 0
      ? ''
      : `    env:
      secret: # from .kamal/secrets
${credentials.map((name) => `        - ${name}\n`).join('')}`;
  return `# Sluice for ${database}: copy this into config/deploy.yml, and sluice.yml into config/.
# Then run: kamal accessory boot sluice
# The accessory must run on the host of the application, with the same folder: SQLite shares memory through it.
accessories:
  sluice:
    image: ${quote(image)}
    roles:
      - web
    cmd: replicate -config /etc/sluice.yml
    files:
      - local: config/sluice.yml
        remote: /etc/sluice.yml
        mode: '0600'
        owner: '${account.uid}:${account.gid}'
        options: ro
    volumes:
${folders.map((folder) => `      - ${quote(`${folder}:${folder}`)}\n`).join('')}\
${secrets}\
    options:
      # The user that owns the database; the application needs the same one.
      user: '${account.uid}:${account.gid}'
      # The last commits are sent after SIGTERM; then Docker waits this long before SIGKILL.
      stop-timeout: ${GRACE_SECONDS}
      cap-drop: ALL
      security-opt: no-new-privileges
`;
}
