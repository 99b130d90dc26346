/** Codes and hints for failed connections. */

import { expect, test } from 'vitest';
import {
  codeOfConnection,
  hintOfConnection,
  readSystemError,
} from '../../src/store/http/system-error.ts';

test.each([
  ['ERR_TLS_CERT_ALTNAME_INVALID', 'REPLICA_HOST_UNTRUSTED', /another name/],
  ['CERT_HAS_EXPIRED', 'REPLICA_HOST_UNTRUSTED', /has expired/],
  ['CERT_NOT_YET_VALID', 'REPLICA_HOST_UNTRUSTED', /clock/],
  ['DEPTH_ZERO_SELF_SIGNED_CERT', 'REPLICA_HOST_UNTRUSTED', /NODE_EXTRA_CA_CERTS/],
  ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'REPLICA_HOST_UNTRUSTED', /NODE_EXTRA_CA_CERTS/],
  ['HPE_INVALID_CONSTANT', 'REPLICA_UNAVAILABLE', /https:\/\//],
  ['ENOTFOUND', 'REPLICA_UNAVAILABLE', /DNS/],
  ['ECONNREFUSED', 'REPLICA_UNAVAILABLE', /nothing listens there/],
  ['ECONNRESET', 'REPLICA_UNAVAILABLE', /any proxy in between/],
  ['EHOSTUNREACH', 'REPLICA_UNAVAILABLE', /firewalls/],
  ['EMFILE', 'REPLICA_UNAVAILABLE', /ulimit -n/],
  ['ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION', 'REPLICA_UNAVAILABLE', /TLS versions/],
] as const)('%s is %s, with its own next step', (code, meaning, hint) => {
  expect(codeOfConnection(code)).toBe(meaning);
  expect(hintOfConnection({ code, message: '' })).toMatch(hint);
});

test('the hint to add an authority is given only if it helps', () => {
  for (const code of ['ERR_TLS_CERT_ALTNAME_INVALID', 'CERT_HAS_EXPIRED', 'CERT_REVOKED']) {
    expect(hintOfConnection({ code, message: '' })).not.toContain('NODE_EXTRA_CA_CERTS');
  }
});

test("an OpenSSL message shows the reason, not positions in OpenSSL's source", () => {
  const message =
    'write EPROTO 40F7:error:0A00010B:SSL routines:tls_validate_record_header:wrong version number:' +
    '../deps/openssl/openssl/ssl/record/methods/tlsany_meth.c:77:\n';
  const system = readSystemError(Object.assign(new Error(message), { code: 'EPROTO' }));
  expect(system.message).toBe('write EPROTO TLS: wrong version number');
  expect(hintOfConnection(system)).toContain('http://');
});
