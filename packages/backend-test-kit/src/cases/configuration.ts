/** What `schema`, `fromURL` and `describe` promise. Nothing is connected to. */

import assert from 'node:assert/strict';
import { inspect } from 'node:util';

import { HOST_KEYS, sameConfig, jsonSchemaOf, propertiesOf } from '@sluice/core/config';
import { isError, parseConfig, type ReplicationError } from '@sluice/core/backend';

import type { Case } from '../case.ts';
import type { CaseContext } from '../context.ts';
import type { Configuration } from '../subject.ts';

const UNKNOWN = 'no-such-key-of-anybody';
/** Of the host's keys a backend is given one. */
const NEVER_PASSED = HOST_KEYS.filter((key) => key !== 'path');
/** One of them is right for a key of any usual kind. */
const PROBES = ['text', '5m', 'https://example.com', 7, true];

export const configurationCases: readonly Case[] = [
  {
    id: 'configuration/is-of-contract-1',
    says: 'A backend names its contract and its scheme.',
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
    says: 'The schema gives the same for the same input, and leaves the input as it is.',
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
    says: 'Replicas that differ in their paths alone have equal configs, and share a destination.',
    needs: ['configuration'],
    layers: ['bare'],
    async run(context) {
      const { backend, input } = of(context);
      const one = parseConfig(backend, input('some/where'));
      const other = parseConfig(backend, input('else/where'));
      assert(sameConfig(one.config, other.config), 'config is all but the path');
      assert.notEqual(one.path, other.path);
    },
  },
  {
    id: 'configuration/unknown-keys-are-errors',
    says: 'An unknown key is CONFIG_INVALID, and the issue names its path.',
    needs: ['configuration'],
    layers: ['bare'],
    async run(context) {
      const error = refusal(context, { [UNKNOWN]: 1 });
      assert(issuePaths(error).includes(UNKNOWN), 'an issue has the path of the key');
    },
  },
  {
    id: 'configuration/no-key-of-the-host',
    says: 'No key of a backend is one that the host reads itself (HOST_KEYS): it would never get it.',
    needs: ['configuration'],
    layers: ['bare'],
    async run(context) {
      const { backend, input } = of(context);
      const right = input('some/where') as Readonly<Record<string, unknown>>;
      const taken = Object.keys(right).filter((key) => NEVER_PASSED.includes(key));
      assert.deepEqual(taken, [], 'keys of the host in the input of the backend');
      const { config } = parseConfig(backend, right);
      for (const key of NEVER_PASSED) {
        for (const value of PROBES) {
          const other = configWith(of(context), { ...right, [key]: value });
          const isIgnored = other === undefined || sameConfig(other, config);
          assert(isIgnored, `"${key}: ${value}" changes the config: the host never passes it on`);
        }
      }
    },
  },
  {
    id: 'configuration/a-mistyped-key-is-recognised',
    says: 'A key that is nearly right is answered with the key that is meant.',
    needs: ['configuration'],
    layers: ['bare'],
    async run(context) {
      const known = keysOf(of(context)).find((key) => key.length >= 4);
      if (known === undefined) return context.notJudged('its keys are short');
      const error = refusal(context, { [`${known}x`]: 'value' });
      const issue = error.issues?.find(({ path }) => path.at(-1) === `${known}x`);
      assert(issue?.message.replaceAll(`${known}x`, '').includes(known), error.message);
    },
  },
  {
    id: 'configuration/all-issues-at-once',
    says: 'All that is wrong is said at once.',
    needs: ['configuration'],
    layers: ['bare'],
    async run(context) {
      const paths = issuePaths(refusal(context, { [UNKNOWN]: 1, [`${UNKNOWN}-2`]: 2 }));
      assert(paths.includes(UNKNOWN) && paths.includes(`${UNKNOWN}-2`), paths.join(', '));
    },
  },
  {
    id: 'configuration/every-key-has-its-help',
    says: 'The JSON Schema says what each key is for, those of the subject among them.',
    needs: ['configuration'],
    layers: ['bare'],
    async run(context) {
      const configuration = of(context);
      const properties = propertiesOf(jsonSchemaOf(configuration.backend.schema));
      if (properties === undefined) return context.notJudged('it takes any key');
      for (const key of keysOf(configuration).filter((name) => !NEVER_PASSED.includes(name))) {
        assert(key in properties, `${key} is not there`);
      }
      for (const [key, { description = '' }] of Object.entries(properties)) {
        assert.notEqual(description, '', `${key} has no description`);
      }
    },
  },
  {
    id: 'configuration/describes-its-place',
    says: 'describe() gives the same for the same place, and another for another path.',
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
    says: 'A URL says the same as the keys that it stands for.',
    needs: ['configuration'],
    layers: ['bare'],
    async run(context) {
      const { backend, input, url } = of(context);
      if (url === undefined) return context.notJudged('the subject has no url');
      const fromKeys = parseConfig(backend, input('some/where'));
      const fromURL = parseConfig(backend, backend.fromURL(new URL(url('some/where'))));
      assert.equal(fromURL.path, fromKeys.path);
      assert(sameConfig(fromURL.config, fromKeys.config), inspect([fromURL, fromKeys]));
    },
  },
  {
    id: 'configuration/prints-no-secret',
    says: 'A printed config shows no secret, nor does its description, nor the error of a wrong one.',
    needs: ['configuration'],
    layers: ['bare'],
    async run(context) {
      const { backend, input } = of(context);
      const { config, path } = parseConfig(backend, input('some/where'));
      const described = JSON.stringify(backend.describe(config, path));
      const told = [inspect(config, { depth: 8 }), JSON.stringify(config), described];
      try {
        parseConfig(backend, { ...(input('some/where') as object), [UNKNOWN]: 1 });
      } catch (error) {
        told.push(inspect(error, { depth: 8 }));
      }
      for (const secret of context.subject.secrets) {
        assert(!told.some((text) => text.includes(secret)), 'a secret can be read');
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

/** What a right input with wrong keys beside is answered with. */
function refusal(context: CaseContext, wrong: Readonly<Record<string, unknown>>): ReplicationError {
  const configuration = of(context);
  const right = configuration.input('some/where');
  return parseFails(configuration, { ...(right as object), ...wrong });
}

function parseFails({ backend }: Configuration, input: unknown): ReplicationError {
  try {
    parseConfig(backend, input);
  } catch (error) {
    if (isError(error, 'CONFIG_INVALID')) return error;
    throw error;
  }
  assert.fail(`${inspect(input)} was taken for a configuration`);
}

/** Undefined where the input is refused. */
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
