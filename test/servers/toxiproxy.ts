/**
 * toxiproxy, if it is installed (test/support/require.ts): cuts, slows, stalls and resets connections
 * while they are in use. Each test has its own proxy.
 */

import { needTool } from '../support/require.ts';
import { until } from '../support/wait.ts';
import { startProcess } from './process.ts';

const ENABLE_MS_MAX = 30_000;

export type Toxic = {
  /** "upstream" affects requests, "downstream" responses. */
  readonly stream: 'upstream' | 'downstream';
} & (
  | { readonly type: 'limit_data'; readonly bytes: number } // per connection, which is then closed
  | { readonly type: 'bandwidth'; readonly rate: number } // KB/s
  | { readonly type: 'timeout'; readonly timeout: 0 } // no data passes, connections stay open
  | { readonly type: 'reset_peer'; readonly timeout: 0 } // TCP RST at the first byte
  | { readonly type: 'latency'; readonly latency: number; readonly jitter: number } // ms
  /** Small packets: sizes in bytes, and the delay between two of them in µs. */
  | {
      readonly type: 'slicer';
      readonly average_size: number;
      readonly size_variation: number;
      readonly delay: number;
    }
);

export interface ToxicProxy {
  /** Port on 127.0.0.1. */
  readonly port: number;
  /** Adds a toxic for current and new connections. */
  add(toxic: Toxic): Promise<void>;
  /** Removes all toxics. Their effects on existing connections remain. */
  clear(): Promise<void>;
  /** Closes all connections and refuses new ones, until `enable`. */
  disable(): Promise<void>;
  enable(): Promise<void>;
  remove(): Promise<void>;
}

export interface Toxiproxy {
  proxyTo(port: number): Promise<ToxicProxy>;
  stop(): Promise<void>;
}

export async function startToxiproxy(): Promise<Toxiproxy> {
  const { port, stop } = await startProcess({
    name: 'toxiproxy',
    binary: needTool('toxiproxy'),
    arguments: (port) => ['-host', '127.0.0.1', '-port', `${port}`],
    environment: { LOG_LEVEL: 'error' },
    healthPath: '/version',
  });
  let count = 0;

  async function request(method: 'POST' | 'DELETE', path: string, body?: unknown): Promise<string> {
    const answer = await fetch(`http://127.0.0.1:${port}${path}`, {
      method,
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`toxiproxy: ${method} ${path}: ${answer.status} ${text}`);
    return text;
  }

  return {
    async proxyTo(upstream) {
      const name = `p${(count += 1)}`;
      const [listen, to] = ['127.0.0.1:0', `127.0.0.1:${upstream}`];
      const made = await request('POST', '/proxies', { name, listen, upstream: to, enabled: true });
      const proxy = JSON.parse(made) as { listen: string };
      const path = `/proxies/${name}`;
      let added: string[] = [];
      return {
        port: Number(new URL(`http://${proxy.listen}`).port),
        async add({ type, stream, ...attributes }) {
          const toxic = `t${(count += 1)}`;
          added.push(toxic);
          await request('POST', `${path}/toxics`, { name: toxic, type, stream, attributes });
        },
        async clear() {
          const names = added;
          added = [];
          for (const toxic of names) await request('DELETE', `${path}/toxics/${toxic}`);
        },
        disable: async () => void (await request('POST', path, { enabled: false })),
        async enable() {
          // Meanwhile another process may have taken its port for an outgoing connection.
          const isEnabled = (): Promise<boolean> =>
            request('POST', path, { enabled: true }).then(
              () => true,
              () => false,
            );
          await until(`toxiproxy: ${path} listens again`, isEnabled, ENABLE_MS_MAX);
        },
        remove: async () => void (await request('DELETE', path)),
      };
    },
    stop,
  };
}
