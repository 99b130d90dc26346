/** A handler over a fake source, and requests to it. */

import { createDashboard, type DashboardHandler, type DashboardOptions } from '../../src/index.ts';
import { FakeSource, status } from './fake-source.ts';

export const TOKEN = 'correct horse battery staple';
export const BEARER: Record<string, string> = { authorization: `Bearer ${TOKEN}` };
export const AT = 'http://127.0.0.1:9090';

export interface Mounted {
  readonly source: FakeSource;
  readonly handler: DashboardHandler;
  readonly get: (path: string, headers?: Record<string, string>) => Promise<Response>;
  readonly post: (
    path: string,
    form: Record<string, string>,
    headers?: Record<string, string>,
  ) => Promise<Response>;
}

export function mount(options: DashboardOptions = {}, origin: string = AT): Mounted {
  const source = new FakeSource([status('/data/app.db'), status('/data/b.db')]);
  const handler = createDashboard(source, { intervalMs: 20, ...options });
  const send = async (request: Request): Promise<Response> => {
    const response = await handler(request);
    if (response === undefined) throw new Error(`${request.url} is not a path of the page`);
    return response;
  };
  return {
    source,
    handler,
    get: async (path, headers = {}) => await send(new Request(`${origin}${path}`, { headers })),
    post: async (path, form, headers = {}) =>
      await send(
        new Request(`${origin}${path}`, {
          method: 'POST',
          body: new URLSearchParams(form),
          headers,
        }),
      ),
  };
}

export async function errorOf(response: Response): Promise<string> {
  const { error } = (await response.json()) as { error: { message: string } };
  return error.message;
}
