/** What the planner has to know of a destination, from its backend. */

import { ReplicationError } from '@sluice/core/backend';
import { keysOfBackend } from '../config/defaults.ts';
import type { DestinationConfig } from '../config/model.ts';
import type { Section } from '../config/section.ts';
import { splitURL, type AnyBackend } from '../load-backend.ts';
import type { Kind } from './keys.ts';

export function secretKeysOf(backend: AnyBackend): ReadonlySet<string> {
  const keys = Object.entries(keysOfBackend(backend) ?? {});
  return new Set(keys.filter(([, { writeOnly }]) => writeOnly === true).map(([key]) => key));
}

export function kindOf({ type, backend }: DestinationConfig): Kind {
  return {
    secretKeys: secretKeysOf(backend),
    readURL: (url) => {
      const { text, restore } = withWords(url);
      try {
        const read = backend.fromURL(splitURL(text).url) as Section;
        return Object.fromEntries(
          Object.entries(read).map(([key, value]) => [
            key,
            typeof value === 'string' ? restore(value) : value,
          ]),
        );
      } catch (error) {
        const message = `a url of type ${type} has a variable in its host or port: write its parts as keys, without url`;
        throw new ReplicationError('CONFIG_INVALID', message, { cause: error });
      }
    },
  };
}

/** The marks of a variable. */
const START = '\uE000';
const END = '\uE001';
/** Letters that no URL contains by chance. */
const START_WORD = 'zqxvarjk';
const END_WORD = 'kjravxqz';

/** A URL cannot contain marks everywhere, so they become letters. */
function withWords(url: string): { text: string; restore: (value: string) => string } {
  return {
    text: url.replaceAll(START, START_WORD).replaceAll(END, END_WORD),
    restore: (value) => value.replaceAll(START_WORD, START).replaceAll(END_WORD, END),
  };
}
