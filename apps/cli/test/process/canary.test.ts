/** A secret of each origin is in nothing that Sluice writes, prints, sends or answers, although the server quotes it. */

import fs from 'node:fs';
import http from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { addRows } from '../support/database.ts';
import { CLIProcess, runProcess } from '../support/process.ts';
import { Receiver } from '../support/receiver.ts';
import { temporaryFolder, writeFile } from '../support/temporary.ts';

const CANARIES = {
  config: 'canary-in-the-configuration',
  url: 'canary-in-the-url',
  environment: 'canary/in+the=environment',
  heartbeat: 'canary-of-the-heartbeat',
  header: 'canary-of-a-header',
} as const;

/** An S3 server whose errors quote everything that it might know. */
async function quotingServer(): Promise<string> {
  const quoted = Object.values(CANARIES).join(' ');
  const server = http.createServer((request, response) => {
    request.resume();
    response.writeHead(403, { 'content-type': 'application/xml', 'x-amz-request-id': '1' });
    response.end(
      `<Error><Code>SignatureDoesNotMatch</Code><Message>not ${quoted}</Message></Error>`,
    );
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

function filesBelow(folder: string): string[] {
  return fs
    .readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => path.join(entry.parentPath, entry.name));
}

test('secrets of the configuration, of URLs and of the environment appear nowhere', async () => {
  const folder = temporaryFolder();
  const database = path.join(folder, 'app.db');
  addRows(database, 1);
  const [endpoint, receiver] = [await quotingServer(), await Receiver.start()];
  const bucket = `endpoint: '${endpoint}', region: r, bucket: b`;
  const config = writeFile(
    folder,
    'sluice.yml',
    `addr: ":0"
max-lag: 1s
shutdown-sync-timeout: 0s
logging: { level: debug }
heartbeat: { url: '${receiver.origin}/${CANARIES.heartbeat}', interval: 1s }
notify: [{ url: '${receiver.origin}/hook', headers: { Authorization: '${CANARIES.header}' } }]
dbs:
- path: ${database}
  replicas:
  - { name: one, type: s3, ${bucket}, path: one, access-key-id: k, secret-access-key: ${CANARIES.config} }
  - { name: two, url: 's3://b/two?endpoint=${endpoint}&region=r&access-key-id=k&secret-access-key=${CANARIES.url}' }
  - { name: three, type: s3, ${bucket}, path: three }
`,
  );
  const env = { AWS_ACCESS_KEY_ID: 'k', AWS_SECRET_ACCESS_KEY: CANARIES.environment };
  const sluice = new CLIProcess(['replicate', '-config', config], env);
  onTestFinished(() => sluice.kill('SIGKILL'));
  const [, origin = ''] = await sluice.says(/metrics at (http:\/\/127\.0\.0\.1:\d+)/);
  const notified = await receiver.until(1); // after max-lag
  const get = async (at: string): Promise<string> => await (await fetch(origin + at)).text();
  const answers = {
    status: await get('/status'),
    metrics: await get('/metrics'),
    ready: await get('/readyz'),
    command: JSON.stringify(await runProcess(['status', '-config', config, '-json'], env)),
    check: JSON.stringify(await runProcess(['check', '-config', config], env)),
    drill: JSON.stringify(await runProcess(['drill', '-running', '-config', config], env)),
    repair: JSON.stringify(await runProcess(['repair', '-running', '-config', config], env)),
    notification: notified.map(({ body }) => body).join(),
  };
  sluice.kill('SIGTERM');
  const { stdout, stderr } = await sluice.ended();
  const files = filesBelow(folder).filter((file) => file !== config && !file.startsWith(database));
  const all = {
    ...answers,
    log: stdout + stderr,
    ...Object.fromEntries(files.map((file) => [file, fs.readFileSync(file, 'latin1')])),
  };
  // The errors did get there.
  expect(answers.status).toContain('SignatureDoesNotMatch');
  expect(answers.notification).toContain('SignatureDoesNotMatch');
  expect(answers.drill).toContain('SignatureDoesNotMatch');
  expect(answers.repair).toContain('SignatureDoesNotMatch');
  for (const [place, text] of Object.entries(all)) {
    for (const canary of Object.values(CANARIES)) {
      for (const spelling of [canary, encodeURIComponent(canary)]) {
        expect(text.includes(spelling), `${canary} in ${place}`).toBe(false);
      }
    }
  }
});
