/** The clients that a server's policy allows, by the names in their certificates. */
import { expect, test } from 'vitest';
import { parseIdentity } from '../../mesh/identity/names.js';
import { compileAuthorizer } from '../../mesh/policy/authorize.js';

const middle = 'serviceaccount.identity';

test.each([
  [`cart.retail.${middle}.retail.local`, true],
  [`a.b.cart.retail.${middle}.retail.local`, true],
  // Another trust domain whose name only ends like retail.local.
  [`cart.retail.${middle}.evil.retail.local`, false],
  [`cart.retail.${middle}.evilretail.local`, false],
  [`cart.retail.${middle}.retail.local.evil`, false],
  // A service account may have the trust domain in its name.
  [`x.${middle}.retail.local.cart.shop.${middle}.evil.local`, false],
  ['cart.retail.local', false],
  [undefined, false],
])('cluster-authenticated with %s: %s', (identity, isAllowed) => {
  const decide = compileAuthorizer(
    { defaultPolicy: 'cluster-authenticated', authorizations: [] },
    'retail.local',
  );
  expect(decide({ identity, address: '10.0.0.1' }).allowed).toBe(isAllowed);
});

test('the last of the words that separate decides what the trust domain is', () => {
  expect(parseIdentity(`x.${middle}.y.shop.${middle}.evil.local`)).toEqual({
    serviceAccount: `x.${middle}.y`,
    namespace: 'shop',
    trustDomain: 'evil.local',
  });
});
