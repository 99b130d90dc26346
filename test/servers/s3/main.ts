/**
 * The S3 test server as a separate process:
 *
 *     node test/servers/s3/main.ts [--port 0] [--bucket NAME] [--region R]
 *         [--access-key-id ID --secret-access-key SECRET] [--with-parent]
 *
 * Prints one line of JSON: { endpoint, port, region, bucket, credentials, pid }. Exits on SIGTERM and
 * SIGINT, and with --with-parent also at the end of its standard input, so that it does not outlive a
 * killed parent.
 */

import { parseArgs } from 'node:util';
import { start } from './index.ts';

const { values } = parseArgs({
  options: {
    port: { type: 'string', default: '0' },
    bucket: { type: 'string', multiple: true },
    region: { type: 'string' },
    'access-key-id': { type: 'string' },
    'secret-access-key': { type: 'string' },
    'with-parent': { type: 'boolean', default: false },
  },
});

const accessKeyId = values['access-key-id'];
const secretAccessKey = values['secret-access-key'];
const server = await start({
  port: Number(values.port),
  buckets: values.bucket,
  region: values.region,
  credentials:
    accessKeyId === undefined || secretAccessKey === undefined
      ? undefined
      : [{ accessKeyId, secretAccessKey }],
});

const { endpoint, port, region, bucket, credentials } = server;
const line = { endpoint, port, region, bucket, credentials, pid: process.pid };
process.stdout.write(`${JSON.stringify(line)}\n`);

let stopping: Promise<void> | undefined;
const stop = (): void => {
  stopping ??= server.stop().then(() => process.exit(0));
};
process.on('SIGTERM', stop);
process.on('SIGINT', stop);
if (values['with-parent']) process.stdin.on('end', stop).on('error', stop).resume();
