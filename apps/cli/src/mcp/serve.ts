/** The server of the Model Context Protocol on stdin and stdout. Loads the SDK, so only `sluice mcp` imports it. */

import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { StdioServerTransport } from '@modelcontextprotocol/sdk/server/stdio.js';
import { messageOf } from '@sluice/core/backend';
import { Turns } from '../daemon/turns.ts';
import type { Secrets } from '../secrets.ts';
import type { Environment } from '../shell.ts';
import { runHere } from './run-here.ts';
import { TOOLS, type Tool, type ToolInput } from './tools.ts';

export interface ServeOptions {
  readonly version: string;
  /** Flags with which each command reads the same configuration. */
  readonly configFlags: readonly string[];
  readonly environment: Environment;
  /** Those of the configuration: no answer contains them. */
  readonly secrets: Secrets;
  readonly signal: AbortSignal;
}

interface Answer {
  [key: string]: unknown;
  content: { type: 'text'; text: string }[];
  isError?: boolean;
}

/** One process at a time: each reads destinations. */
const ALL = '';

/** Resolves when the client closes its end, or the signal is aborted. */
export async function serveMCP(options: ServeOptions): Promise<void> {
  const { version } = options;
  const ended = new AbortController();
  const signal = AbortSignal.any([options.signal, ended.signal]);
  const server = new McpServer(
    { name: 'sluice', version },
    {
      instructions:
        'Sluice replicates SQLite databases to several destinations. These tools read: they change no database and no backup. Begin with status.',
    },
  );
  const turns = new Turns();
  for (const tool of TOOLS) {
    const { name, title, description, input } = tool;
    const annotations = {
      title,
      readOnlyHint: true,
      destructiveHint: false,
      idempotentHint: true,
      openWorldHint: true,
    };
    server.registerTool(
      name,
      { title, description, inputSchema: input, annotations },
      async (given, extra) => {
        const either = AbortSignal.any([extra.signal, signal]);
        const call = { ...options, signal: either };
        return await turns.run(ALL, async () => answer(tool, given as ToolInput, call), either);
      },
    );
  }
  const transport = new StdioServerTransport();
  const closed = Promise.withResolvers<void>();
  process.stdin.once('end', closed.resolve);
  process.stdin.once('close', closed.resolve);
  options.signal.addEventListener('abort', () => closed.resolve(), { once: true });
  await server.connect(transport);
  await closed.promise;
  ended.abort(new Error('the client has gone'));
  await turns.settled(); // a drill removes its copy
  await server.close();
}

async function answer(
  tool: Tool,
  input: ToolInput,
  { configFlags, environment, secrets, signal }: ServeOptions,
): Promise<Answer> {
  const [command = '', ...rest] = tool.words(input);
  try {
    const words = [command, '-json', ...configFlags, ...rest];
    const { code, stdout, stderr } = await runHere(words, { environment, signal });
    const texts = [stdout, stderr].map((text) => secrets.clean(text).trim());
    // A command that fails halfway has printed its result and why: "unhealthy" is an answer, not an error.
    const content = texts
      .filter((text) => text !== '')
      .map((text) => ({ type: 'text' as const, text }));
    if (stdout !== '') return { content };
    const silent = {
      type: 'text' as const,
      text: `sluice ${command} ended with exit code ${code}`,
    };
    return { content: content.length === 0 ? [silent] : content, isError: true };
  } catch (error) {
    const text = secrets.clean(messageOf(error));
    return { content: [{ type: 'text', text }], isError: true };
  }
}
