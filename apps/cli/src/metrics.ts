/** /metrics for Prometheus, and /healthz. Loaded only where `addr` is configured. */

import http from 'node:http';
import type { AddressInfo } from 'node:net';
import type { DatabaseStatus } from '@sluice/core';
import { messageOf, ReplicationError, type Logger } from '@sluice/core/backend';
import { Counter, Gauge, Registry } from 'prom-client';

export interface MetricsServer {
  /** host:port, as it is listened on. */
  readonly address: string;
  close(): Promise<void>;
}

/** CONFIG_INVALID where the address is none, or is taken. ":9090" is this machine only. */
export async function serveMetrics(
  addr: string,
  status: () => readonly DatabaseStatus[],
  logger: Logger,
): Promise<MetricsServer> {
  const { host, port } = parseAddress(addr);
  const metrics = createMetrics();
  const server = http.createServer((request, response) => {
    answer(request, status(), metrics).then(
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
    ? ', for this machine only: write a host before the colon for others'
    : '';
  logger.info(`metrics at http://${at}/metrics, health at /healthz${hint}`);
  if (!isLoopback(address)) logger.warn(`whoever reaches ${at} can read the metrics`);
  return {
    address: at,
    close: async () => {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

async function listen(
  server: http.Server,
  host: string,
  port: number,
  addr: string,
): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) => {
      const message = `addr ${addr}: ${messageOf(error)}`;
      reject(new ReplicationError('CONFIG_INVALID', message, { cause: error }));
    });
    server.listen(port, host, resolve);
  });
}

export function parseAddress(addr: string): { readonly host: string; readonly port: number } {
  const match = /^(\[[^\]]+\]|[^:]*):(\d{1,5})$/.exec(addr);
  const port = Number(match?.[2] ?? Number.NaN);
  if (!(port <= 65_535)) {
    throw new ReplicationError('CONFIG_INVALID', `addr is host:port or :port, not "${addr}"`);
  }
  const host = (match?.[1] ?? '').replace(/^\[(.*)\]$/, '$1');
  return { host: host === '' ? '127.0.0.1' : host, port };
}

function isLoopback(address: string): boolean {
  return address === '::1' || address.startsWith('127.');
}

interface Answer {
  readonly code: number;
  readonly type: string;
  readonly body: string;
}

const TEXT = 'text/plain; charset=utf-8';

async function answer(
  request: http.IncomingMessage,
  databases: readonly DatabaseStatus[],
  metrics: Metrics,
): Promise<Answer> {
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    return { code: 405, type: TEXT, body: 'GET and HEAD only\n' };
  }
  const path = request.url?.replace(/\?.*/, '');
  if (path === '/metrics') {
    metrics.set(databases);
    const { registry } = metrics;
    return { code: 200, type: registry.contentType, body: await registry.metrics() };
  }
  if (path === '/healthz') {
    // A destination that is down is no reason to restart us: it is waited for. See the lag.
    const healthy = databases.every(({ state }) => state !== 'failing');
    const body = `${JSON.stringify({ healthy, databases })}\n`;
    return { code: healthy ? 200 : 503, type: 'application/json', body };
  }
  return { code: 404, type: TEXT, body: 'there are /metrics and /healthz\n' };
}

interface Metrics {
  readonly registry: Registry;
  set(databases: readonly DatabaseStatus[]): void;
}

const LABELS = ['db', 'destination'] as const;

function createMetrics(): Metrics {
  const registry = new Registry();
  const gauge = (name: string, help: string): Gauge<(typeof LABELS)[number]> =>
    new Gauge({ name, help, labelNames: LABELS, registers: [registry] });
  const lag = gauge(
    'sluice_replica_lag_seconds',
    'Seconds since the oldest commit that the destination lacks; 0 where it lacks none',
  );
  const success = gauge(
    'sluice_replica_last_success_timestamp_seconds',
    'Unix time of the last sync that was successful',
  );
  const txid = gauge(
    'sluice_replica_txid',
    'Everything up to this TXID can be restored from there',
  );
  const pendingFiles = gauge('sluice_replica_pending_files', 'Staged files that it lacks');
  const pendingBytes = gauge('sluice_replica_pending_bytes', 'Their bytes');
  const failing = gauge('sluice_replica_failing', '1 where the last try failed, else 0');
  const sent = new Counter({
    name: 'sluice_replica_sent_bytes_total',
    help: 'Bytes sent since the process began',
    labelNames: LABELS,
    registers: [registry],
  });
  return {
    registry,
    set(databases) {
      sent.reset();
      for (const { path: db, destinations } of databases) {
        for (const at of destinations) {
          const labels = { db, destination: at.name };
          lag.set(labels, at.lagSeconds);
          pendingFiles.set(labels, at.pendingFiles);
          pendingBytes.set(labels, at.pendingBytes);
          failing.set(labels, at.state === 'failing' ? 1 : 0);
          sent.inc(labels, at.bytesSent);
          // Exact up to 2^53, which no counter of ours reaches.
          if (at.txid !== undefined) txid.set(labels, Number(BigInt(`0x${at.txid}`)));
          if (at.lastSuccessAt !== undefined) {
            success.set(labels, Date.parse(at.lastSuccessAt) / 1_000);
          }
        }
      }
    },
  };
}
