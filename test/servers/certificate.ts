/** A self-signed certificate. */

import fs from 'node:fs';
import path from 'node:path';
import { generate } from 'selfsigned';

export interface Certificate {
  /** Paths of PEM files. */
  readonly key: string;
  readonly cert: string;
}

const DNS = 2;
const IP = 7;

/** Creates a certificate for 127.0.0.1 and `names`, valid from now. */
export async function makeCertificate(
  folder: string,
  ...names: readonly string[]
): Promise<Certificate> {
  const altNames = [
    { type: IP, ip: '127.0.0.1' } as const,
    ...names.map((value) => ({ type: DNS, value }) as const),
  ];
  const made = await generate([{ name: 'commonName', value: '127.0.0.1' }], {
    keySize: 2048,
    algorithm: 'sha256',
    extensions: [
      { name: 'basicConstraints', cA: true },
      { name: 'subjectAltName', altNames },
    ],
  });
  const [key, cert] = [path.join(folder, 'key.pem'), path.join(folder, 'cert.pem')];
  fs.writeFileSync(key, made.private);
  fs.writeFileSync(cert, made.cert);
  return { key, cert };
}
