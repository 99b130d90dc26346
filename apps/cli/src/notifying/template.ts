/**
 * Bodies of notifications: text with fields such as {{text}}.
 *
 *  {{event}}      unhealthy or healthy
 *  {{text}}       one line for each database, with its problems
 *  {{databases}}  the paths, separated by commas
 *  {{count}}      how many databases
 *  {{host}}       name of this machine
 *  {{time}}       ISO 8601, UTC
 *
 * In a template that is JSON, values are escaped as JSON wants it.
 */

export const FIELDS = ['event', 'text', 'databases', 'count', 'host', 'time'] as const;
export type TemplateField = (typeof FIELDS)[number];
export type TemplateValues = Readonly<Record<TemplateField, string>>;

const PLACE = /\{\{\s*([^{}]*?)\s*\}\}/g;

/** What is wrong with a template; undefined if nothing is. */
export function problemWithTemplate(template: string): string | undefined {
  const names = [...template.matchAll(PLACE)].map(([, name = '']) => name);
  const unknown = names.find((name) => !isField(name));
  if (unknown === undefined) return undefined;
  return `template has the unknown field {{${unknown}}}; the fields are ${FIELDS.join(', ')}`;
}

export interface Rendered {
  readonly body: string;
  readonly contentType: 'application/json' | 'text/plain; charset=utf-8';
}

export function renderTemplate(template: string, values: TemplateValues): Rendered {
  const json = parseJSON(template);
  if (json === undefined) {
    return { body: fillIn(template, values), contentType: 'text/plain; charset=utf-8' };
  }
  const body = JSON.stringify(json, (_, inner: unknown) =>
    typeof inner === 'string' ? fillIn(inner, values) : inner,
  );
  return { body, contentType: 'application/json' };
}

export function fillIn(template: string, values: TemplateValues): string {
  return template.replace(PLACE, (place, name: string) => (isField(name) ? values[name] : place));
}

function isField(name: string): name is TemplateField {
  return FIELDS.some((field) => field === name);
}

/** undefined if it is not a JSON object or list. */
function parseJSON(text: string): object | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? value : undefined;
  } catch {
    return undefined;
  }
}
