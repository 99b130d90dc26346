/** Serves /metrics for Prometheus, and /healthz. Loaded only if `addr` is configured. */

import http from 'node:http';
import type { AddressInfo } from 'node:net';
import type { DatabaseStatus } from '@sluice/core';
import { messageOf, ReplicationError, type Logger } from '@sluice/core/backend';
import { parseAddress, type Address } from './address.ts';
import { createMetrics, type LastDrills, type Metrics } from './metrics-registry.ts';
import { withDrills } from './status/drill-health.ts';

export interface MetricsServer {
  /** The host:port that it listens on. */
  readonly address: string;
  close(): Promise<void>;
}

/** CONFIG_INVALID if the address is invalid or in use. ":9090" listens on this machine only. */
export async function serveMetrics(
  addr: string,
  status: () => readonly DatabaseStatus[],
  logger: Logger,
  readDrills: () => Promise<readonly LastDrills[]> = () => Promise.resolve([]),
): Promise<MetricsServer> {
  const { host, port } = addressOf(addr);
  const metrics = createMetrics();
  const server = http.createServer((request, response) => {
    respond(request, { databases: status(), readDrills, metrics }).then(
      ({ code, type, body }) => {
        response
          .writeHead(code, { 'content-type': type })
          .end(request.method === 'HEAD' ? '' : body);
      },
      (error: unknown) => {
        logger.warn(`${request.url}: ${messageOf(error)}`);
        response.writeHead(500).end();
      },
    );
  });
  await listen(server, host, port, addr);
  const { address, port: bound } = server.address() as AddressInfo;
  const at = `${address.includes(':') ? `[${address}]` : address}:${bound}`;
  const hint = addr.startsWith(':')
    ? ', reachable from this machine only: to change that, write a host before the colon'
    : '';
  logger.info(`metrics at http://${at}/metrics, health at /healthz${hint}`);
  if (!isLoopback(address)) logger.warn(`anyone who can connect to ${at} can read the metrics`);
  return {
    address: at,
    close: async () => {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

function addressOf(addr: string): Address {
  const address = parseAddress(addr);
  if (address !== undefined) return address;
  throw new ReplicationError('CONFIG_INVALID', `addr must be host:port or :port, not "${addr}"`);
}

async function listen(
  server: http.Server,
  host: string,
  port: number,
  addr: string,
): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) => {
      const message = `listen on addr ${addr} for /metrics: ${messageOf(error)}; choose another host or port, or stop the program that uses it`;
      reject(new ReplicationError('CONFIG_INVALID', message, { cause: error }));
    });
    server.listen(port, host, resolve);
  });
}

function isLoopback(address: string): boolean {
  return address === '::1' || address.startsWith('127.');
}

interface Reply {
  readonly code: number;
  readonly type: string;
  readonly body: string;
}

const TEXT = 'text/plain; charset=utf-8';

interface Sources {
  readonly databases: readonly DatabaseStatus[];
  readonly readDrills: () => Promise<readonly LastDrills[]>;
  readonly metrics: Metrics;
}

async function respond(
  request: http.IncomingMessage,
  { databases, readDrills, metrics }: Sources,
): Promise<Reply> {
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    return { code: 405, type: TEXT, body: 'GET and HEAD only\n' };
  }
  const path = request.url?.replace(/\?.*/, '');
  if (path === '/metrics') {
    const drills = await readDrills();
    metrics.set(withDrills(databases, drills), drills);
    const { registry } = metrics;
    return { code: 200, type: registry.contentType, body: await registry.metrics() };
  }
  if (path === '/healthz') {
    const judged = withDrills(databases, await readDrills());
    const healthy = judged.every((database) => database.healthy);
    const body = `${JSON.stringify({ healthy, databases: judged })}\n`;
    return { code: healthy ? 200 : 503, type: 'application/json', body };
  }
  return { code: 404, type: TEXT, body: 'try /metrics or /healthz\n' };
}
