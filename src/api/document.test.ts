import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { openTestApi, testToken } from '../../test/doubles/open-test-api.ts';
import { describedRoutes, openApiDocument, parametersOf, pathText } from './document.ts';
import { ROUTES } from './routes.ts';

describe('the document of the API', () => {
  test('every route is described, with a name for each open part of its path', () => {
    for (const route of ROUTES) {
      const { path, about } = route;
      assert.ok(about !== undefined, `${path} has no description: give its row in src/api/routes.ts an \`about\``);
      assert.equal(about.params?.length ?? 0, path.split(/\*+/).length - 1, `${path} has names for its open parts`);
      assert.doesNotMatch(about.summary, /\.$/);
      for (const parameter of parametersOf({ about })) assert.notEqual(parameter.description, '', `${path}: ${parameter.name}`);
    }
  });

  test('every operation has a name of its own', () => {
    const document = openApiDocument(ROUTES);
    const names = Object.values(document.paths).flatMap((path) => Object.values(path).map(({ operationId }) => operationId));
    assert.equal(names.length, ROUTES.length);
    assert.equal(new Set(names).size, names.length);
  });

  test('it is served as it is made, and a head can be asked for', async (t) => {
    const { send, close } = await openTestApi();
    t.after(close);
    const answer = await send('/openapi.json');
    assert.equal(answer.status, 200);
    assert.deepEqual(answer.json, JSON.parse(JSON.stringify(openApiDocument(ROUTES))));
    assert.equal((await send('/openapi.json?pretty=1')).status, 400);
  });

  test('a route takes the parameters that are described, and no others', async (t) => {
    const token = testToken('ops', 'operator', 'secret');
    const { send, close } = await openTestApi({ tokens: [token] });
    t.after(close);
    const headers = { authorization: 'Bearer secret', 'content-type': 'application/json' };
    for (const route of describedRoutes(ROUTES)) {
      const path = pathText(route).replaceAll(/\{\w+\}/g, 'archive');
      const known = parametersOf(route).flatMap(({ name, in: where }) => (where === 'query' ? [name] : []));
      const answer = await send(`${path}?nonsense=1`, { method: route.method, headers });
      const error = answer.json['error'] as { code: string; message: string } | undefined;
      const expected = known.length === 0 ? 'this path takes none' : `this path takes ${known.join(', ')}`;
      assert.equal(error?.code, 'REQUEST_INVALID', path);
      assert.ok(error.message.endsWith(expected), `${path}: ${error.message}`);
    }
  });
});
