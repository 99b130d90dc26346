/** Calls of the API. Addresses are relative, so that the page works under any path. */

export async function get<T>(
  name: string,
  query: Record<string, string>,
  signal?: AbortSignal,
): Promise<T> {
  const search = new URLSearchParams(query).toString();
  const response = await fetch(`./api/${name}${search === '' ? '' : `?${search}`}`, {
    signal: signal ?? null,
    headers: { accept: 'application/json' },
  });
  return await read<T>(response);
}

export async function post(name: string, form: Record<string, string>): Promise<Response> {
  const response = await fetch(`./api/${name}`, {
    method: 'POST',
    body: new URLSearchParams(form),
  });
  if (!response.ok) await read(response);
  return response;
}

async function read<T>(response: Response): Promise<T> {
  const type = response.headers.get('content-type') ?? '';
  if (!type.includes('json')) throw new Error(`the server answered ${response.status}`);
  const value = (await response.json()) as T & { error?: { message?: string } };
  if (!response.ok)
    throw new Error(value.error?.message ?? `the server answered ${response.status}`);
  return value;
}

/** Calls `each` with the objects of a response of JSON lines. */
export async function readLines(response: Response, each: (value: unknown) => void): Promise<void> {
  if (response.body === null) return;
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = '';
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    const lines = `${rest}${value}`.split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) if (line !== '') each(JSON.parse(line));
  }
}
