/**
 * The environment as vendors' SDKs can read it: they read variables by themselves, and fail on what
 * is usual around them.
 *
 *  a variable with white space around its value    a Kubernetes secret made with echo; it is left out,
 *                                                  as around secrets in files
 *  a proxy without a scheme (host:port)            gets http://, as curl and Go have it
 *  a user whom /etc/passwd does not know, no HOME  HOME is /, as Docker has it
 */

import { homeFolder } from './home.ts';

/** Of `process.env`, or of a test. */
export type Environment = Record<string, string | undefined>;

/** Mends variables whose names match, proxies, and HOME. Returns a line for each that was mended. */
export function normalizeEnvironment(
  names: RegExp,
  env: Environment = process.env,
  homeOf: () => string | undefined = homeFolder,
): readonly string[] {
  const mended: string[] = [];
  for (const [name, value = ''] of Object.entries(env)) {
    if (names.test(name) && value !== value.trim()) {
      env[name] = value.trim();
      mended.push(`${name} has white space around its value: it is left out`);
    }
    if (/^https?_proxy$/i.test(name) && /^[\w.-]+:\d+\/?$/.test(value.trim())) {
      env[name] = `http://${value.trim()}`;
      mended.push(`${name} has no scheme: it is read as http://`);
    }
  }
  if ((env['HOME'] ?? '') === '' && homeOf() === undefined) {
    env['HOME'] = '/';
    mended.push('this user has no home folder: HOME is read as /');
  }
  return mended;
}
