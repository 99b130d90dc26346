/**
 * toxiproxy, where it is installed (test/support/require.ts): a network that can be cut, slowed,
 * stalled and reset while a connection is in use. Each test has a proxy of its own.
 */

import { needTool } from '../support/require.ts';
import { startProcess } from './process.ts';

export type Toxic = {
  /** "upstream" is what we send, "downstream" what is answered. */
  readonly stream: 'upstream' | 'downstream';
} & (
  | { readonly type: 'limit_data'; readonly bytes: number } // of each connection, which then ends
  | { readonly type: 'bandwidth'; readonly rate: number } // KB a second
  | { readonly type: 'timeout'; readonly timeout: 0 } // nothing passes, and nothing ends
  | { readonly type: 'reset_peer'; readonly timeout: 0 } // TCP RST at the first byte
);

export interface ToxicProxy {
  /** Of 127.0.0.1 */
  readonly port: number;
  /** From now on, for connections that there are and those to come. */
  add(toxic: Toxic): Promise<void>;
  /** The network is well again. What a toxic has done to a connection stays. */
  clear(): Promise<void>;
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

  async function ask(method: 'POST' | 'DELETE', path: string, body?: unknown): Promise<string> {
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
      const made = await ask('POST', '/proxies', { name, listen, upstream: to, enabled: true });
      const proxy = JSON.parse(made) as { listen: string };
      const path = `/proxies/${name}`;
      let added: string[] = [];
      return {
        port: Number(new URL(`http://${proxy.listen}`).port),
        async add({ type, stream, ...attributes }) {
          const toxic = `t${(count += 1)}`;
          added.push(toxic);
          await ask('POST', `${path}/toxics`, { name: toxic, type, stream, attributes });
        },
        async clear() {
          const names = added;
          added = [];
          for (const toxic of names) await ask('DELETE', `${path}/toxics/${toxic}`);
        },
        remove: async () => void (await ask('DELETE', path)),
      };
    },
    stop,
  };
}
