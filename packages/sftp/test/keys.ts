/** Keys for tests. One in a few hundred keys of ssh2 cannot be read by ssh2 or OpenSSH. */

import ssh2 from 'ssh2';

export interface KeyPair {
  readonly private: string;
  /** "ssh-ed25519 AAAA…" */
  readonly public: string;
}

export function makeKeys(passphrase?: string): KeyPair {
  const make = ssh2.utils.generateKeyPairSync;
  for (;;) {
    const keys =
      passphrase === undefined
        ? make('ed25519')
        : make('ed25519', { passphrase, cipher: 'aes256-ctr', rounds: 4 });
    if (!(ssh2.utils.parseKey(keys.private, passphrase) instanceof Error)) return keys;
  }
}

/** "ssh-rsa AAAA…", of a private key in any form that ssh2 reads. */
export function publicKeyOf(text: string): string {
  const key = ssh2.utils.parseKey(text);
  if (key instanceof Error) throw key;
  return `${key.type} ${key.getPublicSSH().toString('base64')}`;
}
