/** fake-gcs-server, if it is installed (test/support/require.ts): one bucket, in memory. */

import { needTool } from '../support/require.ts';
import type { GCSPlace } from './gcs-access.ts';
import { startProcess } from './process.ts';

interface RunningFakeGCS extends GCSPlace {
  readonly endpoint: string;
  stop(): Promise<void>;
}

export async function startFakeGCS(): Promise<RunningFakeGCS> {
  const { port, stop } = await startProcess({
    name: 'fake-gcs-server',
    binary: needTool('fake-gcs-server'),
    arguments: (port) => [
      ...['-scheme', 'http', '-host', '127.0.0.1', '-port', `${port}`, '-backend', 'memory'],
      ...['-external-url', `http://127.0.0.1:${port}`, '-public-host', `127.0.0.1:${port}`],
      ...['-log-level', 'error'],
    ],
    healthPath: '/_internal/healthcheck',
  });
  const endpoint = `http://127.0.0.1:${port}`;
  const bucket = 'sluice-test';
  const made = await fetch(`${endpoint}/storage/v1/b`, {
    method: 'POST',
    body: JSON.stringify({ name: bucket }),
    headers: { 'content-type': 'application/json' },
  });
  if (!made.ok) throw new Error(`create a bucket at fake-gcs-server: ${await made.text()}`);
  return { endpoint, bucket, stop };
}
