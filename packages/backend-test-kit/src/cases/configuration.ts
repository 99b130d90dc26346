/** Promises of `schema`, `fromURL` and `describe`. The cases make no connection. */

import assert from 'node:assert/strict';
import { inspect } from 'node:util';

import { HOST_KEYS, sameConfig, jsonSchemaOf, propertiesOf } from '@sluice/core/config';
import { isError, parseConfig, type ReplicationError } from '@sluice/core/backend';

import type { Case } from '../case.ts';
import type { CaseContext } from '../context.ts';
import type { Configuration } from '../subject.ts';

const UNKNOWN = 'no-such-key';
/** `path` is the only host key that is passed to the backend. */
const NEVER_PASSED = HOST_KEYS.filter((key) => key !== 'path');
/** Includes a valid value for each common type of key. */
const PROBES = ['text', '5m', 'https://example.com', 7, true];

export const configurationCases: readonly Case[] = [
  {
    id: 'configuration/is-of-contract-1',
    promise: 'A backend declares contract 1 and a valid scheme.',
    needs: ['configuration'],
    layers: ['bare'],
    async run(context) {
      const { backend } = of(context);
      assert.equal(backend.contract, 1);
      assert.match(backend.scheme, /^[a-z][a-z0-9+.-]*$/);
    },
  },
  {
    id: 'configuration/parse-is-pure',
    promise: 'The schema returns equal output for equal input, and does not change the input.',
    needs: ['configuration'],
    layers: ['bare'],
    async run(context) {
      const { backend, input } = of(context);
      const given = input('some/where');
      const before = structuredClone(given);
      const first = parseConfig(backend, given);
      const second = parseConfig(backend, structuredClone(before));
      assert.deepEqual(given, before);
      assert(sameConfig(first.config, second.config), 'equal inputs give equal configs');
      assert.equal(first.path, second.path);
      assert.equal(typeof first.path, 'string');
    },
  },
  {
    id: 'configuration/the-path-is-apart',
    promise: 'Replicas that differ only in their paths have equal configs, so they share a client.',
    needs: ['configuration'],
    layers: ['bare'],
    async run(context) {
      const { backend, input } = of(context);
      const one = parseConfig(backend, input('some/where'));
      const other = parseConfig(backend, input('else/where'));
      assert(sameConfig(one.config, other.config), 'the config does not include the path');
      assert.notEqual(one.path, other.path);
    },
  },
  {
    id: 'configuration/unknown-keys-are-errors',
    promise: 'An unknown key fails with CONFIG_INVALID, and the issue has its path.',
    needs: ['configuration'],
    layers: ['bare'],
    async run(context) {
      const error = parseErrorWith(context, { [UNKNOWN]: 1 });
      assert(issuePaths(error).includes(UNKNOWN), 'an issue has the path of the key');
    },
  },
  {
    id: 'configuration/no-key-of-the-host',
    promise:
      'A backend uses none of the keys that the host reads itself (HOST_KEYS), which are never passed to it.',
    needs: ['configuration'],
    layers: ['bare'],
    async run(context) {
      const { backend, input } = of(context);
      const right = input('some/where') as Readonly<Record<string, unknown>>;
      const reserved = Object.keys(right).filter((key) => NEVER_PASSED.includes(key));
      assert.deepEqual(reserved, [], 'host keys in the input of the backend');
      const { config } = parseConfig(backend, right);
      for (const key of NEVER_PASSED) {
        for (const value of PROBES) {
          const other = configWith(of(context), { ...right, [key]: value });
          const isIgnored = other === undefined || sameConfig(other, config);
          assert(
            isIgnored,
            `"${key}: ${value}" changes the config, but the host never passes this key`,
          );
        }
      }
    },
  },
  {
    id: 'configuration/a-mistyped-key-is-recognized',
    promise: 'The issue of a misspelled key suggests the right key.',
    needs: ['configuration'],
    layers: ['bare'],
    async run(context) {
      const known = keysOf(of(context)).find((key) => key.length >= 4);
      if (known === undefined)
        return context.notTested('the backend has no key of 4 or more characters');
      const error = parseErrorWith(context, { [`${known}x`]: 'value' });
      const issue = error.issues?.find(({ path }) => path.at(-1) === `${known}x`);
      assert(issue?.message.replaceAll(`${known}x`, '').includes(known), error.message);
    },
  },
  {
    id: 'configuration/all-issues-at-once',
    promise: 'All issues are reported at once.',
    needs: ['configuration'],
    layers: ['bare'],
    async run(context) {
      const paths = issuePaths(parseErrorWith(context, { [UNKNOWN]: 1, [`${UNKNOWN}-2`]: 2 }));
      assert(paths.includes(UNKNOWN) && paths.includes(`${UNKNOWN}-2`), paths.join(', '));
    },
  },
  {
    id: 'configuration/every-key-has-its-help',
    promise:
      'The JSON Schema has a description for each key, and includes all keys of the subject.',
    needs: ['configuration'],
    layers: ['bare'],
    async run(context) {
      const configuration = of(context);
      const properties = propertiesOf(jsonSchemaOf(configuration.backend.schema));
      if (properties === undefined) return context.notTested('the schema accepts any key');
      for (const key of keysOf(configuration).filter((name) => !NEVER_PASSED.includes(name))) {
        assert(key in properties, `${key} is not in the JSON Schema`);
      }
      for (const [key, { description = '' }] of Object.entries(properties)) {
        assert.notEqual(description, '', `${key} has no description`);
      }
    },
  },
  {
    id: 'configuration/describes-its-place',
    promise:
      'describe() returns equal places for equal inputs, and different places for different paths.',
    needs: ['configuration'],
    layers: ['bare'],
    async run(context) {
      const placeAt = (at: string): string => {
        const { backend, input } = of(context);
        const { config, path } = parseConfig(backend, input(at));
        const { target, place = target } = backend.describe(config, path);
        assert.notEqual(target, '');
        return place;
      };
      assert.equal(placeAt('some/where'), placeAt('some/where'));
      assert.notEqual(placeAt('some/where'), placeAt('else/where'));
    },
  },
  {
    id: 'configuration/a-url-is-the-same',
    promise: 'A URL gives the same config as the equivalent keys.',
    needs: ['configuration'],
    layers: ['bare'],
    async run(context) {
      const { backend, input, url } = of(context);
      if (url === undefined) return context.notTested('the subject has no url');
      const fromKeys = parseConfig(backend, input('some/where'));
      const fromURL = parseConfig(backend, backend.fromURL(new URL(url('some/where'))));
      assert.equal(fromURL.path, fromKeys.path);
      assert(sameConfig(fromURL.config, fromKeys.config), inspect([fromURL, fromKeys]));
    },
  },
  {
    id: 'configuration/prints-no-secret',
    promise: 'Secrets do not appear in a printed config, its description or a validation error.',
    needs: ['configuration'],
    layers: ['bare'],
    async run(context) {
      const { backend, input } = of(context);
      const { config, path } = parseConfig(backend, input('some/where'));
      const described = JSON.stringify(backend.describe(config, path));
      const printed = [inspect(config, { depth: 8 }), JSON.stringify(config), described];
      try {
        parseConfig(backend, { ...(input('some/where') as object), [UNKNOWN]: 1 });
      } catch (error) {
        printed.push(inspect(error, { depth: 8 }));
      }
      for (const secret of context.subject.secrets) {
        assert(!printed.some((text) => text.includes(secret)), 'a secret was printed');
      }
    },
  },
];

function of({ subject }: CaseContext): Configuration {
  assert(subject.configuration !== undefined, 'the subject has a configuration');
  return subject.configuration;
}

function keysOf({ input }: Configuration): string[] {
  const given = input('some/where');
  return typeof given === 'object' && given !== null ? Object.keys(given) : [];
}

/** The error for a valid input with additional invalid keys. */
function parseErrorWith(
  context: CaseContext,
  wrong: Readonly<Record<string, unknown>>,
): ReplicationError {
  const configuration = of(context);
  const right = configuration.input('some/where');
  return parseError(configuration, { ...(right as object), ...wrong });
}

function parseError({ backend }: Configuration, input: unknown): ReplicationError {
  try {
    parseConfig(backend, input);
  } catch (error) {
    if (isError(error, 'CONFIG_INVALID')) return error;
    throw error;
  }
  assert.fail(`${inspect(input)} was accepted as a configuration`);
}

/** Undefined if the input is invalid. */
function configWith({ backend }: Configuration, input: unknown): unknown {
  try {
    return parseConfig(backend, input).config;
  } catch (error) {
    if (isError(error, 'CONFIG_INVALID')) return undefined;
    throw error;
  }
}

function issuePaths({ issues = [] }: ReplicationError): string[] {
  return issues.map(({ path }) => path.join('.'));
}
