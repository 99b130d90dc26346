/** Endpoints with a path, such as Supabase or a gateway behind a reverse proxy. */

import { Replica } from '@sluice/core/backend/testing';
import { once } from 'node:events';
import {
  createServer,
  request as send,
  type IncomingMessage,
  type ServerResponse,
} from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { connectGCS } from '../servers/gcs-access.ts';
import { start as startGCS } from '../servers/gcs/index.ts';
import { connectS3 } from '../servers/s3-access.ts';
import { bodyOf, list, pattern, read, ref } from './context.ts';
import { copyFile } from '../support/copy.ts';

const FILE = ref(0, 1);
const PATH = '/storage/v1/s3';

async function serve(
  handle: (request: IncomingMessage, response: ServerResponse) => void,
): Promise<string> {
  const server = createServer(handle);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(async () => {
    server.close();
    server.closeAllConnections();
    await once(server, 'close');
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

test('s3: the path of the endpoint comes before the bucket', async () => {
  const seen: string[] = [];
  const origin = await serve((request, response) => {
    seen.push(`${request.method} ${request.url?.replace(/\?.*/, '')}`);
    request.resume().once('end', () => response.writeHead(200, { etag: '"1"' }).end());
  });
  const credentials = { accessKeyId: 'id', secretAccessKey: 'secret' };
  const place = { endpoint: `${origin}${PATH}`, region: 'local', bucket: 'backups', credentials };
  const destination = await connectS3(place);
  onTestFinished(() => destination.close());
  await new Replica(destination, 'db').writeFile(FILE, bodyOf(pattern(9, 1)));
  const key = 'db/0000/0000000000000001-0000000000000001.ltx';
  expect(seen).toEqual([`PUT ${PATH}/backups/${key}`]);
});

test('gcs: all requests go to the path of the endpoint', async () => {
  const server = await startGCS();
  const { hostname, port } = new URL(server.endpoint);
  const gateway = await serve((from, to) => {
    if (!from.url?.startsWith(PATH)) return void to.writeHead(404).end('no such route');
    const path = from.url.slice(PATH.length);
    const { method, headers } = from;
    const passed = send({ hostname, port, path, method, headers }, (answer) => {
      to.writeHead(answer.statusCode ?? 0, answer.headers);
      answer.pipe(to);
    });
    return void from.pipe(passed);
  });
  const destination = await connectGCS({ ...server, endpoint: `${gateway}${PATH}` });
  onTestFinished(async () => {
    await destination.close();
    await server.stop();
  });
  const replica = new Replica(destination, 'db');
  await replica.writeFile(FILE, bodyOf(pattern(9, 1)));
  await copyFile(replica, FILE, ref(1, 1));
  expect(await list(replica, 'all')).toHaveLength(2);
  expect(await read(replica, ref(1, 1))).toHaveLength(9);
  await replica.deleteFiles([FILE]);
  expect(await list(replica, 'all')).toHaveLength(1);
});
