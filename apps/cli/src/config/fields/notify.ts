/** The keys `heartbeat` and `notify`: who is told that everything is well, and who that something is not. */

import { isSecret, secret as hide, type Secret } from '@sluice/core/backend';
import { duration, field, Invalid, secret, type ConfigField } from '@sluice/core/backend/config';
import { isMap } from '@sluice/core/config';
import { z } from 'zod';
import { problemWithTemplate } from '../../notifying/template.ts';
import type { Secrets } from '../../secrets.ts';

export interface HeartbeatSettings {
  readonly url: Secret;
  readonly intervalMs: number;
}

export const EVENTS = ['unhealthy', 'healthy'] as const;
export type NotifyEvent = (typeof EVENTS)[number];

export interface NotifySettings {
  readonly url: Secret;
  readonly on: readonly NotifyEvent[];
  /** undefined: the JSON of the event. */
  readonly template: string | undefined;
  /** They may contain a token. */
  readonly headers: Readonly<Record<string, Secret>>;
}

/** As in Litestream. */
const INTERVAL_DEFAULT = '5m';
/** Services that expect a heartbeat have limits. */
const INTERVAL_MS_MIN = 1_000;

const url = (help: string, defaultText: string): ConfigField<Secret> =>
  secret(help, { example: 'https://hc-ping.com/5b0e6f8e', defaultText, check: problemWithURL });
const interval = (defaultText: string): ConfigField<number> =>
  duration('time between two heartbeats', { example: '1m', min: INTERVAL_MS_MIN, defaultText });

/** With the keys that Litestream has for it. */
export const HEARTBEAT = {
  heartbeat: z
    .strictObject({
      url: url('requested by GET while every database is healthy; see below', 'off').optional(),
      interval: interval(INTERVAL_DEFAULT).optional(),
    })
    .prefault({}),
  'heartbeat-url': url('like heartbeat.url, as in Litestream', 'heartbeat.url').optional(),
  'heartbeat-interval': interval('heartbeat.interval').optional(),
};

type HeartbeatSection = z.output<z.ZodObject<typeof HEARTBEAT>>;

export function heartbeatSettings(read: HeartbeatSection): HeartbeatSettings | undefined {
  const found = read['heartbeat-url'] ?? read.heartbeat.url;
  const intervalMs = read['heartbeat-interval'] ?? read.heartbeat.interval ?? 300_000;
  return found && { url: found, intervalMs };
}

/** `notify: [{ url, on?, template?, headers? }]`. */
export function notify(): ConfigField<readonly NotifySettings[]> {
  const json = {
    type: 'array',
    items: {
      type: 'object',
      properties: {
        url: { type: 'string' },
        on: { type: 'array', items: { enum: [...EVENTS] } },
        template: { type: 'string' },
        headers: { type: 'object', additionalProperties: { type: 'string' } },
      },
      required: ['url'],
      additionalProperties: false,
    },
    description:
      'requested by POST when a database becomes unhealthy, and healthy again; see below',
    examples: [[{ url: 'https://ntfy.sh/my-backups', template: '{{text}}' }]],
    'x-default': 'none',
  } as const;
  return field(json, (value) => {
    if (!Array.isArray(value)) return new Invalid('must be a list such as [{ url: "https://…" }]');
    const read = (value as readonly unknown[]).map(readTarget);
    const wrong = read.findIndex((target) => typeof target === 'string');
    const problem = read[wrong];
    if (typeof problem === 'string') {
      return new Invalid(`has a mistake in item ${wrong + 1}: ${problem}`);
    }
    return read.filter((target) => typeof target !== 'string');
  });
}

/** The target, or what is wrong with it. */
function readTarget(item: unknown): NotifySettings | string {
  if (!isMap(item)) return 'it must be a map with the key url';
  const { url: address, on = EVENTS, template, headers = {} } = item;
  if (typeof address !== 'string') return 'url is missing';
  const wrongURL = problemWithURL(address);
  if (wrongURL !== undefined) return `url ${wrongURL}`;
  const events = EVENTS.filter((event) => Array.isArray(on) && on.includes(event));
  if (!Array.isArray(on) || events.length === 0 || events.length < on.length) {
    return `on must be a list of ${EVENTS.join(' and ')}`;
  }
  if (template !== undefined && typeof template !== 'string') return 'template must be text';
  const wrongTemplate = template === undefined ? undefined : problemWithTemplate(template);
  if (wrongTemplate !== undefined) return wrongTemplate;
  const pairs = isMap(headers) ? Object.entries(headers) : undefined;
  if (pairs?.every(([name, value]) => isHeader(name, value)) !== true) {
    return 'headers must be a map of names and text';
  }
  const hidden = pairs.map(([name, value]) => [name, hide(String(value))]);
  return {
    url: hide(address),
    on: events,
    template,
    headers: Object.fromEntries(hidden) as Record<string, Secret>,
  };
}

function isHeader(name: string, value: unknown): boolean {
  return /^[A-Za-z0-9-]+$/.test(name) && typeof value === 'string' && !/[\r\n\0]/.test(value);
}

/** The message does not show it: it may contain a token. */
function problemWithURL(written: string): string | undefined {
  const isWeb = /^https?:\/\//i.test(written) && URL.canParse(written);
  return isWeb ? undefined : 'must be a URL that begins with http:// or https://';
}

/** Shorter paths, and shorter parts of a path, may be common words. */
const PATH_LENGTH_MIN = 16;
const PART_LENGTH_MIN = 12;

/** The URLs of such services are secrets: who knows them can send too. */
export function collectNotifySecrets(
  {
    heartbeat,
    notify: targets,
  }: {
    readonly heartbeat: HeartbeatSettings | undefined;
    readonly notify: readonly NotifySettings[];
  },
  secrets: Secrets,
): void {
  for (const each of [heartbeat, ...targets]) {
    if (each === undefined) continue;
    const written = each.url.reveal();
    const { href, pathname, search, password } = new URL(written);
    for (const text of [written, href, password]) secrets.add(text);
    if ((pathname + search).length >= PATH_LENGTH_MIN) secrets.add(pathname + search);
    for (const part of pathname.split('/')) if (part.length >= PART_LENGTH_MIN) secrets.add(part);
  }
  for (const { headers } of targets) {
    for (const value of Object.values(headers)) if (isSecret(value)) secrets.add(value.reveal());
  }
}
