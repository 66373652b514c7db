import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openTestApi, testToken } from '../../test/doubles/open-test-api.ts';
import { WaybillError } from '../contracts/errors.ts';

const TOKEN = 'operator-token-of-this-test';
const OPS = { tokens: [testToken('ops', 'operator', TOKEN), testToken('eyes', 'viewer', `${TOKEN}-2`)] };
const AS_OPS = { authorization: `Bearer ${TOKEN}` };

test('an operator may ask for a reload or a trial of one, and for nothing else there', async (t) => {
  const { post, send, verbs, close } = await openTestApi(OPS);
  t.after(close);
  const reload = (body: string, headers: Readonly<Record<string, string>> = AS_OPS) => post(body, headers, '/v1/reload');
  assert.deepEqual((await reload('{}')).json, { dry_run: false });
  assert.deepEqual((await reload('{"dry_run":true}')).json, { dry_run: true });
  assert.deepEqual(verbs, ['reload by ops', 'reload by ops as a trial']);
  for (const wrong of ['{"dry_run":"yes"}', '{"dryrun":true}', '[]', '{', 'null']) assert.equal((await reload(wrong)).status, 400, wrong);
  assert.equal((await reload('{}', { ...AS_OPS, 'content-type': 'text/plain' })).status, 415);
  assert.equal((await send('/v1/reload?dry_run=true', { method: 'POST', headers: AS_OPS })).status, 400);
  assert.equal((await reload('{}', { authorization: `Bearer ${TOKEN}-2` })).status, 403);
  assert.equal((await reload('{}', {})).status, 401);
  assert.equal(verbs.length, 2);
});

test('what is wrong with a configuration is answered whole', async (t) => {
  const reload = async (): Promise<never> => {
    throw new WaybillError('CONFIG_INVALID', 'waybill.yaml:3:1 one\nwaybill.yaml:7:5 two');
  };
  const { post, close } = await openTestApi(OPS, { reload });
  t.after(close);
  const { status, json } = await post('', AS_OPS, '/v1/reload');
  assert.equal(status, 422);
  assert.deepEqual((json['error'] as Record<string, unknown>)['message'], 'waybill.yaml:3:1 one\nwaybill.yaml:7:5 two');
});
