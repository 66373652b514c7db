import { z } from 'zod';
import type { ErrorCode } from '../contracts/errors.ts';
import { ERROR_CODES } from '../contracts/errors.ts';
import { type Content, problemShape, type RouteAbout } from './about.ts';
import { type Answer, jsonText, statusOf } from './answer.ts';
import { type Call, onlyKnown } from './call.ts';
import type { Route } from './routes.ts';

/** A route that is described. */
export type DescribedRoute = Pick<Route, 'method' | 'path' | 'need'> & { readonly about: RouteAbout };

/** An OpenAPI 3.1 document, as far as it is made here. */
export interface OpenApiDocument {
  readonly openapi: string;
  readonly info: { readonly title: string; readonly version: string; readonly description: string };
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, unknown>>; readonly securitySchemes: unknown };
}

/** One operation of the document. */
export interface Operation {
  readonly operationId: string;
  readonly summary: string;
  readonly description?: string;
  readonly security: readonly unknown[];
  readonly parameters: readonly Parameter[];
  readonly requestBody?: { readonly required: boolean; readonly content: Media };
  readonly responses: Readonly<Record<string, { readonly description: string; readonly content: Media }>>;
}

/** One parameter of an operation. */
export interface Parameter {
  readonly name: string;
  readonly in: 'path' | 'query' | 'header';
  readonly required: boolean;
  readonly description: string;
  readonly schema: unknown;
}

/** JSON Schemas by content type. */
export type Media = Readonly<Record<string, { readonly schema: unknown }>>;

/** The version of the interface, not of the program: it changes when a client has to. */
const API_VERSION = '1';

/** `GET /openapi.json`. */
export const openApiAbout: RouteAbout = {
  summary: 'This document',
  answer: { 'application/json': z.looseObject({ openapi: z.string().describe('3.1.1') }) },
};

/** Makes what answers `GET /openapi.json`; the document is written once, when somebody first asks. */
export function documentAnswer(routes: readonly Route[]): (call: Call) => Answer {
  let text: string | null = null;
  return ({ query }) => {
    onlyKnown(query, []);
    text ??= JSON.stringify(openApiDocument(routes));
    return jsonText(200, text);
  };
}

/** The document of those routes that are described. */
export function openApiDocument(routes: readonly Route[]): OpenApiDocument {
  const paths: Record<string, Record<string, Operation>> = {};
  for (const route of describedRoutes(routes)) {
    const path = pathText(route);
    paths[path] = { ...paths[path], [route.method.toLowerCase()]: operationOf(route) };
  }
  return {
    openapi: '3.1.1',
    info: {
      title: 'Waybill',
      version: API_VERSION,
      description:
        'Send audit events, read the ledger, and see and control its destinations. Every error has a code, a message and a way out.',
    },
    paths,
    components: { schemas: { Problem: schemaOf(problemShape) }, securitySchemes: { token: { type: 'http', scheme: 'bearer' } } },
  };
}

/** The routes that say what they are about. */
export function describedRoutes(routes: readonly Route[]): readonly DescribedRoute[] {
  return routes.flatMap((route) => (route.about === undefined ? [] : [{ ...route, about: route.about }]));
}

/** The path with the names of its open parts: `/v1/destinations/{name}`. */
export function pathText({ path, about }: Pick<DescribedRoute, 'path' | 'about'>): string {
  const names = (about.params ?? []).map(([name]) => name);
  return path.replaceAll(/\*\*?/g, () => `{${names.shift() ?? '?'}}`);
}

/** The errors that a route can answer with, by status. */
export function problemsOf({ need, method, about }: DescribedRoute): ReadonlyMap<number, readonly ErrorCode[]> {
  const guarded: readonly ErrorCode[] = need === 'open' ? [] : ['HOST_UNKNOWN', 'UNAUTHORIZED', 'FORBIDDEN'];
  const changing: readonly ErrorCode[] =
    method === 'POST' ? ['ORIGIN_FOREIGN', 'CONTENT_TYPE_UNSUPPORTED', 'BODY_TOO_LARGE', 'OVERLOADED', 'STOPPING'] : [];
  const codes = [...new Set<ErrorCode>(['REQUEST_INVALID', ...guarded, ...changing, ...(about.errors ?? []), 'INTERNAL'])];
  const problems = new Map<number, readonly ErrorCode[]>();
  for (const code of codes) problems.set(statusOf(code), [...(problems.get(statusOf(code)) ?? []), code]);
  return new Map([...problems].toSorted(([a], [b]) => a - b));
}

/** The parameters of a route: open parts of its path, what stands behind the question mark, and headers. */
export function parametersOf({ about }: Pick<DescribedRoute, 'about'>): readonly Parameter[] {
  const inPath = (about.params ?? []).map(
    ([name, description]): Parameter => ({ name, in: 'path', required: true, description, schema: { type: 'string' } }),
  );
  return [...inPath, ...keysOf('query', about.query), ...keysOf('header', about.headers)];
}

function keysOf(where: Parameter['in'], shape: z.ZodObject | undefined): Parameter[] {
  if (shape === undefined) return [];
  const { properties = {}, required = [] } = schemaOf(shape) as {
    readonly properties?: Readonly<Record<string, { readonly description?: string }>>;
    readonly required?: readonly string[];
  };
  return Object.entries(properties).map(([name, { description = '', ...schema }]) => ({
    name,
    in: where,
    required: required.includes(name),
    description,
    schema,
  }));
}

function operationOf(route: DescribedRoute): Operation {
  const { method, need, about } = route;
  return {
    operationId: `${method}${pathText(route)}`
      .toLowerCase()
      .replace(/[^a-z0-9]+/g, '_')
      .replace(/_$/, ''),
    summary: about.summary,
    ...(about.details === undefined ? {} : { description: about.details }),
    security: need === 'open' ? [] : [{ token: [] }, {}],
    parameters: parametersOf(route),
    ...(about.body === undefined ? {} : { requestBody: { required: about.bodyOptional !== true, content: mediaOf(about.body) } }),
    responses: { 200: { description: about.summary, content: mediaOf(about.answer) }, ...problemResponses(route) },
  };
}

function problemResponses(route: DescribedRoute): Operation['responses'] {
  const schema = route.about.problem === undefined ? { $ref: '#/components/schemas/Problem' } : schemaOf(route.about.problem);
  return Object.fromEntries(
    [...problemsOf(route)].map(([status, codes]) => {
      const description = codes.map((code) => `${code}: ${ERROR_CODES[code].means}`).join('\n');
      return [status, { description, content: { 'application/json': { schema } } }];
    }),
  );
}

function mediaOf(content: Content): Media {
  return Object.fromEntries(Object.entries(content).map(([type, shape]) => [type, { schema: schemaOf(shape) }]));
}

/** The JSON Schema of a shape (draft 2020-12, as OpenAPI 3.1 has it). */
function schemaOf(shape: z.ZodType): Readonly<Record<string, unknown>> {
  const { $schema: _, ...schema } = z.toJSONSchema(shape, { io: 'input', unrepresentable: 'any' });
  return schema;
}
