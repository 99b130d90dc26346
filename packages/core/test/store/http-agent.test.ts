import { once } from 'node:events';
import http from 'node:http';
import net from 'node:net';
import { expect, onTestFinished, test, vi } from 'vitest';
import { codeOfConnection } from '../../src/store/http/system-error.ts';
import { httpAgent } from '../../src/store/http/agent.ts';

const SILENCE_MS = 50;

/** A server that accepts connections and never responds. */
async function silentServer(): Promise<number> {
  const sockets = new Set<net.Socket>();
  const server = net.createServer((socket) => {
    sockets.add(socket.on('error', () => undefined).resume());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  return (server.address() as net.AddressInfo).port;
}

async function failureOf(url: string): Promise<NodeJS.ErrnoException> {
  const { protocol } = new URL(url);
  const agent = httpAgent(protocol as 'http:' | 'https:', { silenceMs: SILENCE_MS });
  onTestFinished(() => agent.destroy());
  const { get } = protocol === 'http:' ? http : await import('node:https');
  const [error] = (await once(get(url, { agent }), 'error')) as [NodeJS.ErrnoException];
  return error;
}

test('a silent server fails with a retryable error', async () => {
  const error = await failureOf(`http://127.0.0.1:${await silentServer()}/`);
  expect(error.message).toBe(`nothing was sent or received for ${SILENCE_MS} ms`);
  expect(codeOfConnection(error.code ?? '')).toBe('REPLICA_UNAVAILABLE');
});

test('a proxy that opens no tunnel fails with a retryable error', async () => {
  vi.stubEnv('HTTPS_PROXY', `http://127.0.0.1:${await silentServer()}`);
  onTestFinished(() => void vi.unstubAllEnvs());
  const error = await failureOf('https://store.example.test/');
  expect(codeOfConnection(error.code ?? ''), `${error.code} ${error.message}`).toBe(
    'REPLICA_UNAVAILABLE',
  );
});
