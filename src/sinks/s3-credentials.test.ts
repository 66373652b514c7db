import assert from 'node:assert/strict';
import { registerHooks } from 'node:module';
import { after, test } from 'node:test';
import { s3Credentials } from './s3-credentials.ts';

/** In place of the package, which is no dependency: it gives other keys each time, and now and then none. */
const PACKAGE = `data:text/javascript,
let calls = 0;
export const defaultProvider = () => async () => {
  calls += 1;
  if (calls === 2) throw new Error('the role is not there');
  return { accessKeyId: 'A' + calls, secretAccessKey: 's' };
};`;

const hooks = registerHooks({
  resolve: (specifier, context, next) =>
    specifier === '@aws-sdk/credential-provider-node' ? { url: PACKAGE, shortCircuit: true } : next(specifier, context),
});
after(() => hooks.deregister());

test('keys of the configuration are used as they are', async () => {
  const keys = { accessKeyId: 'A', secretAccessKey: 's', sessionToken: 't' };
  assert.equal(await s3Credentials(keys), keys);
});

test('those of the machine are asked for each time, and may be away for a moment', async () => {
  const provider = await s3Credentials('default');
  assert.ok(typeof provider === 'function');
  assert.equal((await provider()).accessKeyId, 'A1');
  await assert.rejects(provider(), { code: 'SINK_UNREACHABLE', message: /no credentials for S3 now: Error: the role is not there/ });
  assert.equal((await provider()).accessKeyId, 'A3');
});
