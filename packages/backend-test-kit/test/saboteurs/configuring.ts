import type { Backend } from '@sluice/core/backend';
import type { Configuration } from '../../src/index.ts';
import { CONFIGURATION, SECRET } from '../world.ts';
import type { Saboteur } from './saboteur.ts';

type Input = Readonly<Record<string, unknown>>;
type Schema = Backend<unknown>['schema'];
type Output = { readonly path: string };
type Standard = Schema['~standard'];

const KNOWN = ['bucket', 'path', 'access-key'];

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
  configured('declares another contract', ['is-of-contract-1'], () => ({ contract: 2 as 1 })),
  configured('returns a different config the first time', ['parse-is-pure'], ({ schema }) => {
    let calls = 0;
    return {
      schema: withOutput(schema, (value) =>
        (calls += 1) === 1 ? { ...value, isFirst: true } : value,
      ),
    };
  }),
  configured('keeps the path in the config', ['the-path-is-apart'], ({ schema }) => ({
    schema: withOutput(schema, (value) => ({ ...value, where: value.path })),
  })),
  configured(
    'accepts any key',
    ['unknown-keys-are-errors', 'a-mistyped-key-is-recognized', 'all-issues-at-once'],
    ({ schema }) => ({
      schema: open(schema, (input) => schema['~standard'].validate(pick(input))),
    }),
  ),
  configured('does not suggest the right key', ['a-mistyped-key-is-recognized'], ({ schema }) => ({
    schema: refusing(schema, (issues) => issues.map(({ path }) => ({ path, message: 'no' }))),
  })),
  configured('has a key that the host reads itself', ['no-key-of-the-host'], ({ schema }) => ({
    schema: withStandard(schema, {
      jsonSchema: {
        ...schema['~standard'].jsonSchema,
        input: () => ({
          type: 'object',
          properties: Object.fromEntries(
            [...KNOWN, 'retention'].map((key) => [key, { type: 'string', description: 'a key' }]),
          ),
        }),
      },
      validate(input) {
        const { retention, ...rest } = input as Input;
        const result = schema['~standard'].validate(rest);
        if (retention === undefined || !('value' in result)) return result;
        return { value: { ...result.value, keepFor: retention } };
      },
    }),
  })),
  {
    does: 'requires "name", which the host does not pass',
    group: ['configuration/no-key-of-the-host'],
    configuration: {
      ...CONFIGURATION,
      input: (path) => ({ ...(CONFIGURATION.input(path) as Input), name: 'offsite' }),
    },
  },
  configured('reports one issue at a time', ['all-issues-at-once'], ({ schema }) => ({
    schema: refusing(schema, (issues) => issues.slice(0, 1)),
  })),
  configured('has no descriptions of keys', ['every-key-has-its-help'], ({ schema }) => ({
    schema: withStandard(schema, {
      jsonSchema: {
        ...schema['~standard'].jsonSchema,
        input: () => ({
          type: 'object',
          properties: Object.fromEntries(KNOWN.map((key) => [key, { type: 'string' }])),
        }),
      },
    }),
  })),
  configured('describes two places as the same', ['describes-its-place'], () => ({
    describe: () => ({ target: 'memory://b' }),
  })),
  configured('shows its key in the target', ['prints-no-secret'], () => ({
    describe: (_, path) => ({ target: `memory://b/${path}?access-key=${SECRET}` }),
  })),
  configured('drops the end of a URL', ['a-url-is-the-same'], (own) => ({
    fromURL: (url) => own.fromURL(new URL(url.href.replace('/where', ''))),
  })),
  configured('stores its key as a plain string', ['prints-no-secret'], ({ schema }) => ({
    schema: withOutput(schema, (value) => ({ ...value, key: SECRET })),
  })),
];

function withStandard(schema: Schema, change: Partial<Standard>): Schema {
  return { '~standard': { ...schema['~standard'], ...change } };
}

/** Changes the output. */
function withOutput(schema: Schema, change: (value: Output) => object): Schema {
  return withStandard(schema, {
    validate(input) {
      const result = schema['~standard'].validate(input);
      if (!('value' in result)) return result;
      return { value: change(result.value) as Output };
    },
  });
}

/** The JSON Schema allows any key, so that `validate` must reject unknown keys. */
function open(
  schema: Schema,
  validate: (input: Input) => ReturnType<Standard['validate']>,
): Schema {
  const { jsonSchema } = schema['~standard'];
  return withStandard(schema, {
    jsonSchema: {
      ...jsonSchema,
      input: (options) => ({ ...jsonSchema.input(options), additionalProperties: true }),
    },
    validate: (input) => validate(input as Input),
  });
}

interface Issue {
  readonly path: readonly string[];
  readonly message: string;
}

/** Rejects unknown keys itself, with the issues returned by `change`. */
function refusing(schema: Schema, change: (issues: readonly Issue[]) => readonly Issue[]): Schema {
  return open(schema, (input) => {
    const unknown = Object.keys(input).filter((key) => !KNOWN.includes(key));
    const all = unknown.map((key) => ({
      path: [key],
      message: `is not a key: did you mean ${KNOWN.join(' or ')}?`,
    }));
    const result = schema['~standard'].validate(pick(input));
    if (all.length === 0) return result;
    return { issues: change(all) };
  });
}

function pick(input: Input): Input {
  return Object.fromEntries(Object.entries(input).filter(([key]) => KNOWN.includes(key)));
}
