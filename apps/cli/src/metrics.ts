/** /metrics for Prometheus and /healthz. Loaded only where `addr` is configured. */

import http from 'node:http';
import type { AddressInfo } from 'node:net';
import type { DatabaseStatus, Replicator } from '@sluice/core';
import { ReplicationError, type Logger } from '@sluice/core/backend';
import { Gauge, Registry } from 'prom-client';

export interface MetricsServer {
  readonly address: string;
  close(): Promise<void>;
}

/** ":9090" listens on 127.0.0.1 only, and says so. */
export async function serveMetrics(
  addr: string,
  replicator: Replicator,
  logger: Logger,
): Promise<MetricsServer> {
  const { host, port } = parseAddress(addr);
  const metrics = createMetrics();
  const server = http.createServer((request, response) => {
    void answer(request, response, replicator, metrics);
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, resolve);
  });
  const bound = server.address() as AddressInfo;
  const address = `${bound.address}:${bound.port}`;
  const hint = addr.startsWith(':') ? ' (write a host before the colon to listen elsewhere)' : '';
  logger.info(`metrics at http://${address}/metrics${hint}`);
  return {
    address,
    close: async () => {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

function parseAddress(addr: string): { host: string; port: number } {
  const match = /^(.*):(\d{1,5})$/.exec(addr);
  const port = Number(match?.[2]);
  if (match === null || port > 65_535) {
    throw new ReplicationError('CONFIG_INVALID', `addr is host:port or :port, not "${addr}"`);
  }
  const host = (match[1] ?? '').replace(/^\[(.*)\]$/, '$1');
  return { host: host === '' ? '127.0.0.1' : host, port };
}

async function answer(
  request: http.IncomingMessage,
  response: http.ServerResponse,
  replicator: Replicator,
  metrics: Metrics,
): Promise<void> {
  const status = replicator.status();
  if (request.url === '/metrics') {
    metrics.set(status);
    response.setHeader('content-type', metrics.registry.contentType);
    response.end(await metrics.registry.metrics());
    return;
  }
  if (request.url === '/healthz') {
    const isHealthy = status.every((database) => database.state !== 'failing');
    response.statusCode = isHealthy ? 200 : 503;
    response.setHeader('content-type', 'application/json');
    response.end(`${JSON.stringify({ healthy: isHealthy, databases: status })}\n`);
    return;
  }
  response.statusCode = 404;
  response.end('not found: /metrics, /healthz\n');
}

interface Metrics {
  readonly registry: Registry;
  set(status: readonly DatabaseStatus[]): void;
}

function createMetrics(): Metrics {
  const registry = new Registry();
  const labelNames = ['db', 'destination'] as const;
  const gauge = (name: string, help: string): Gauge<'db' | 'destination'> =>
    new Gauge({ name, help, labelNames, registers: [registry] });
  const lag = gauge(
    'sluice_lag_seconds',
    'Seconds since the oldest commit that the destination lacks',
  );
  const bytes = gauge('sluice_sent_bytes_total', 'Bytes sent since the process began');
  const success = gauge(
    'sluice_last_success_timestamp_seconds',
    'Time of the last successful sync',
  );
  const txid = gauge('sluice_txid', 'Everything up to this TXID can be restored from there');
  const pending = gauge('sluice_pending_files', 'Staged files that the destination lacks');
  return {
    registry,
    set(status) {
      for (const database of status) {
        for (const at of database.destinations) {
          const labels = { db: database.path, destination: at.name };
          lag.set(labels, at.lagSeconds);
          bytes.set(labels, at.bytesSent);
          pending.set(labels, at.pendingFiles);
          if (at.txid !== undefined) txid.set(labels, Number(BigInt(`0x${at.txid}`)));
          if (at.lastSuccessAt !== undefined)
            success.set(labels, Date.parse(at.lastSuccessAt) / 1000);
        }
      }
    },
  };
}
