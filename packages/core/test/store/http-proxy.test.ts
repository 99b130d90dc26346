/** Proxy variables as other programs read them. */

import { once } from 'node:events';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { httpAgent } from '../../src/store/http/agent.ts';
import { proxyEnvironment } from '../../src/store/http/proxy.ts';

describe('a proxy', () => {
  test.each([
    ['http://proxy:3128', 'http://proxy:3128'],
    ['proxy.example.com:3128', 'http://proxy.example.com:3128'],
    ['127.0.0.1:8080', 'http://127.0.0.1:8080'],
    [' http://proxy:3128\n', 'http://proxy:3128'],
    ['https://user:secret@proxy:3128', 'https://user:secret@proxy:3128'],
  ])('%j is used', (given, https_proxy) => {
    expect(proxyEnvironment({ HTTPS_PROXY: given })).toMatchObject({ https_proxy });
  });

  test.each(['socks5://127.0.0.1:1080', 'socks://h:1', 'ftp://h:1', 'http://', 'http://a b'])(
    '%s is refused with the name of the variable',
    (given) => {
      expect(() => proxyEnvironment({ HTTPS_PROXY: given })).toThrow(
        expect.objectContaining({
          code: 'CONFIG_INVALID',
          message: expect.stringContaining('HTTPS_PROXY') as string,
        }),
      );
    },
  );

  test('that is refused is not shown: it may contain a password', () => {
    const read = (): unknown => proxyEnvironment({ http_proxy: 'socks5://user:secret@host:1' });
    expect(read).toThrow(/^(?!.*secret).*http_proxy/);
  });

  test('in lowercase overrides, and an empty variable is ignored', () => {
    const env = { https_proxy: 'small:1', HTTPS_PROXY: 'capital:1', HTTP_PROXY: '' };
    expect(proxyEnvironment(env)).toMatchObject({ https_proxy: 'http://small:1' });
    expect(proxyEnvironment(env)).not.toHaveProperty('http_proxy');
  });
});

describe('NO_PROXY', () => {
  /** Whether a request goes through the proxy. */
  async function way(noProxy: string, host: string): Promise<'proxied' | 'direct'> {
    const seen: string[] = [];
    const server = http.createServer(({ url = '' }, answer) => {
      seen.push(url);
      answer.end();
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    vi.stubEnv('HTTP_PROXY', `127.0.0.1:${(server.address() as AddressInfo).port}`);
    vi.stubEnv('NO_PROXY', noProxy);
    const agent = httpAgent('http:');
    onTestFinished(() => {
      vi.unstubAllEnvs();
      agent.destroy();
      server.close();
    });
    // These names have no address: a direct request fails at once.
    const request = http.get({
      host,
      port: 1,
      agent,
      lookup: (_, __, done) => done(new Error('-'), ''),
    });
    await new Promise<void>((resolve) => {
      request.once('response', () => resolve()).once('error', () => resolve());
    });
    request.destroy();
    return seen.length > 0 ? 'proxied' : 'direct';
  }

  test.each([
    ['example.test', 'example.test', 'direct'],
    ['example.test', 'store.example.test', 'direct'],
    ['example.test', 'notexample.test', 'proxied'],
    ['.example.test', 'store.example.test', 'direct'],
    ['*.example.test', 'store.example.test', 'direct'],
    ['other.test example.test', 'store.example.test', 'direct'],
    ['10.0.0.0/8', '10.255.0.1', 'direct'],
    ['10.1.0.0/16', '10.2.0.1', 'proxied'],
    ['*', 'store.example.test', 'direct'],
    ['', 'store.example.test', 'proxied'],
    ['', 'localhost', 'direct'],
  ] as const)('%j: %s is %s', async (noProxy, host, expected) => {
    expect(await way(noProxy, host)).toBe(expected);
  });
});
