/** A certificate that nobody vouches for. */

import { execFileSync } from 'node:child_process';
import path from 'node:path';

export interface Certificate {
  /** Paths, in PEM. */
  readonly key: string;
  readonly cert: string;
}

/** Of 127.0.0.1 and of `names`, for two days. */
export function makeCertificate(folder: string, ...names: readonly string[]): Certificate {
  const [key, cert] = [path.join(folder, 'key.pem'), path.join(folder, 'cert.pem')];
  const request = ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2'];
  const alternatives = ['IP:127.0.0.1', ...names.map((name) => `DNS:${name}`)].join(',');
  const subject = ['-subj', '/CN=127.0.0.1', '-addext', `subjectAltName=${alternatives}`];
  execFileSync('openssl', [...request, ...subject, '-keyout', key, '-out', cert], {
    stdio: 'ignore',
  });
  return { key, cert };
}
