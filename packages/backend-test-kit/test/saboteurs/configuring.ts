import { isError, ReplicationError, type Backend } from '@sluice/core/backend';
import type { Configuration } from '../../src/index.ts';
import { CONFIGURATION, SECRET } from '../world.ts';
import type { Saboteur } from './saboteur.ts';

type Input = Record<string, unknown>;
const KNOWN = ['type', 'bucket', 'path', 'access-key'];

function configured(
  does: string,
  group: readonly string[],
  change: (backend: Backend<unknown>) => Partial<Backend<unknown>>,
): Saboteur {
  const { backend } = CONFIGURATION;
  const configuration: Configuration = {
    ...CONFIGURATION,
    backend: { ...backend, ...change(backend) },
  };
  return { does, group: group.map((name) => `configuration/${name}`), configuration };
}

export const CONFIGURING_SABOTEURS: readonly Saboteur[] = [
  configured('speaks another contract', ['is-of-contract-1'], () => ({ contract: 2 as 1 })),
  configured('takes from its input what it has read', ['parse-is-pure'], (own) => ({
    parse(input) {
      const parsed = own.parse(input);
      delete (input as Input)['bucket'];
      return parsed;
    },
  })),
  configured('keeps the path in the config', ['the-path-is-apart'], (own) => ({
    parse(input) {
      const { config, path } = own.parse(input);
      return { config: { ...(config as object), path }, path };
    },
  })),
  configured(
    'takes any key',
    ['unknown-keys-are-errors', 'a-mistyped-key-is-recognised', 'all-issues-at-once'],
    (own) => ({
      parse(input) {
        if (typeof input !== 'object' || input === null || Array.isArray(input))
          return own.parse(input);
        const known = Object.entries(input).filter(([key]) => KNOWN.includes(key));
        return own.parse(Object.fromEntries(known));
      },
    }),
  ),
  configured('does not say what is meant', ['a-mistyped-key-is-recognised'], (own) => ({
    parse: (input) =>
      retold(own, input, (issues) =>
        issues.map((issue) => ({ ...issue, message: 'is not a key' })),
      ),
  })),
  configured('has a key of its own that the host takes', ['no-key-of-the-host'], (own) => ({
    parse(input) {
      if (typeof input !== 'object' || input === null || !('retention' in input)) {
        return own.parse(input);
      }
      const { retention, ...rest } = input;
      const { config, path } = own.parse(rest);
      return { config: { ...(config as object), keepFor: retention }, path };
    },
  })),
  {
    does: 'is configured by a name, which the host keeps',
    group: ['configuration/no-key-of-the-host'],
    configuration: {
      ...CONFIGURATION,
      input: (path) => ({ ...(CONFIGURATION.input(path) as Input), name: 'offsite' }),
      backend: { ...CONFIGURATION.backend, parse: (input) => parseWithName(input) },
    },
  },
  configured('says one thing at a time', ['all-issues-at-once'], (own) => ({
    parse: (input) => retold(own, input, (issues) => issues.slice(0, 1)),
  })),
  configured('takes nothing for something', ['what-is-no-map'], (own) => ({
    parse: (input) => own.parse(input ?? CONFIGURATION.input('somewhere')),
  })),
  configured('loses the end of a URL', ['a-url-is-the-same'], (own) => ({
    fromURL: (url) => own.fromURL(new URL(url.href.replace('/where', ''))),
  })),
  configured('keeps its key as text', ['prints-no-secret'], (own) => ({
    parse(input) {
      const { config, path } = own.parse(input);
      return { config: { ...(config as object), key: SECRET }, path };
    },
  })),
];

function parseWithName(input: unknown): ReturnType<Backend<unknown>['parse']> {
  if (typeof input !== 'object' || input === null) return CONFIGURATION.backend.parse(input);
  const { name: _, ...rest } = input as Input;
  return CONFIGURATION.backend.parse(Array.isArray(input) ? input : rest);
}

function retold(
  own: Backend<unknown>,
  input: unknown,
  change: (issues: NonNullable<ReplicationError['issues']>) => ReplicationError['issues'],
): ReturnType<Backend<unknown>['parse']> {
  try {
    return own.parse(input);
  } catch (error) {
    if (!isError(error, 'CONFIG_INVALID')) throw error;
    const issues = change(error.issues ?? []);
    throw new ReplicationError('CONFIG_INVALID', 'read the configuration', { issues });
  }
}
