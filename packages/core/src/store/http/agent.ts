/** The HTTP agent of a destination: keeps sockets open, limits their number, and drops silent connections. */

import type { Agent } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { proxyEnvironment } from './proxy.ts';
import { SOCKETS_MAX } from './sockets.ts';

/** A connection is dropped after this long without sending or receiving anything. */
export const HTTP_SILENCE_MS_MAX = 60_000;

export interface HTTPAgentOptions {
  /** Accept any certificate. Off by default. */
  readonly skipVerify?: boolean | undefined;
  /** Time until a silent connection is dropped. 60 s by default. */
  readonly silenceMs?: number | undefined;
}

/**
 * An agent for the requests of one destination. It uses the proxy in HTTPS_PROXY and HTTP_PROXY, except
 * for the hosts in NO_PROXY (proxy.ts; Node 22.21, 24.5 and later; older versions ignore all three).
 * Throws CONFIG_INVALID if they name an invalid proxy.
 */
export function httpAgent(
  protocol: 'http:' | 'https:',
  { skipVerify = false, silenceMs = HTTP_SILENCE_MS_MAX }: HTTPAgentOptions = {},
): Agent {
  const options = {
    keepAlive: true,
    maxSockets: SOCKETS_MAX,
    maxFreeSockets: SOCKETS_MAX,
    timeout: silenceMs,
    proxyEnv: proxyEnvironment(process.env),
  };
  // Loads Node's HTTP modules when the first destination connects.
  if (protocol === 'http:') {
    return neverSilent(new (process.getBuiltinModule('node:http').Agent)(options), silenceMs);
  }
  const { Agent: Secure } = process.getBuiltinModule('node:https');
  const secure = new Secure({ ...options, rejectUnauthorized: !skipVerify });
  return neverSilent(secure, silenceMs);
}

/** Drops silent connections. The agent itself only emits `timeout` to the request. */
function neverSilent(agent: Agent, silenceMs: number): Agent {
  const watch = (given: Duplex | null | undefined): void => {
    const socket = given as Socket | null | undefined; // Node's own agents create Sockets
    socket?.setTimeout(silenceMs); // the agent does not set it for a tunnel
    socket?.once('timeout', () => {
      const error = new Error(`nothing was sent or received for ${silenceMs} ms`);
      socket.destroy(Object.assign(error, { code: 'ETIMEDOUT' }));
    });
  };
  const connect = agent.createConnection.bind(agent);
  agent.createConnection = (options, callback) => {
    // Through a proxy, the socket is passed to the callback.
    const socket = connect(options, (error, late) => {
      watch(late);
      callback?.(error, late);
    });
    watch(socket);
    return socket;
  };
  return agent;
}
