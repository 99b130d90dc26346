/**
 * Normalizes environment variables that vendors' SDKs read themselves and reject in common forms.
 *
 *  variable                                  normalized
 *  white space around the value              removed, as for secrets in files (a Kubernetes secret made
 *                                            with echo)
 *  a proxy without a scheme (host:port)      http:// added, as in curl and Go
 *  no HOME, and a user not in /etc/passwd    HOME=/, as in Docker
 */

import { homeFolder } from './home.ts';

/** `process.env`, or the environment of a test. */
export type Environment = Record<string, string | undefined>;

/** Normalizes variables whose names match, proxies, and HOME. Returns a log line for each change. */
export function normalizeEnvironment(
  names: RegExp,
  env: Environment = process.env,
  homeOf: () => string | undefined = homeFolder,
): readonly string[] {
  const changes: string[] = [];
  for (const [name, value = ''] of Object.entries(env)) {
    if (names.test(name) && value !== value.trim()) {
      env[name] = value.trim();
      changes.push(`${name} has white space around its value: it was removed`);
    }
    if (/^https?_proxy$/i.test(name) && /^[\w.-]+:\d+\/?$/.test(value.trim())) {
      env[name] = `http://${value.trim()}`;
      changes.push(`${name} has no scheme: http:// is assumed`);
    }
  }
  if ((env['HOME'] ?? '') === '' && homeOf() === undefined) {
    env['HOME'] = '/';
    changes.push('this user has no home folder: HOME was set to /');
  }
  return changes;
}
