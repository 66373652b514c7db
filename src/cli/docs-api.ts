import {
  type DescribedRoute,
  describedRoutes,
  type OpenApiDocument,
  openApiDocument,
  type Parameter,
  parametersOf,
  pathText,
  problemsOf,
} from '../api/document.ts';
import { METRICS } from '../api/metrics-table.ts';
import { ROUTES } from '../api/routes.ts';

type Shape = {
  readonly type?: string;
  readonly description?: string;
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly properties?: Readonly<Record<string, Shape>>;
  readonly additionalProperties?: Shape | boolean;
  readonly required?: readonly string[];
  readonly items?: Shape;
  readonly anyOf?: readonly Shape[];
};

/** The parts of `docs/metrics.md` under its title. */
export function metricsParts(): string[] {
  const rows = METRICS.map(({ name, kind, labelNames, help }) => [
    `\`${name}\``,
    kind,
    labelNames.map((label) => `\`${label}\``).join(', '),
    help,
  ]);
  return [
    '`GET /metrics` answers in the text format of Prometheus. Names and labels are stable. Labels hold names of the configuration, ' +
      'codes of ' +
      '[errors.md](errors.md), routes and words of closed lists, so that their number is bounded. Times are in seconds, from one ' +
      'millisecond to a day. Nothing is counted for a single event: requests and batches are.',
    'Alert rules to begin with: `packaging/prometheus-alerts.yaml`.',
    table(['metric', 'type', 'labels', ''], rows),
  ];
}

/** The parts of `docs/api.md` under its title. */
export function apiParts(): string[] {
  const document = openApiDocument(ROUTES);
  return [
    document.info.description,
    'The same as an OpenAPI 3.1 document: `GET /openapi.json`. Where tokens are configured, send one as `Authorization: Bearer …`; ' +
      'what a role may do is in [security.md](security.md).',
    'An error is answered as `{"error":{"code","message","action"}}`; with 429 and 503 comes `Retry-After`. ' +
      'Every code is explained in [errors.md](errors.md).',
    'Stable are the routes on this page. Beside them a running `waybill demo` answers its own page at `/demo`: that belongs to the demo, ' +
      'is not there otherwise, and may change at any time. The files of the console at `/` are no part of the API either.',
    ...describedRoutes(ROUTES).flatMap((route) => routeParts(route, document)),
  ];
}

const NEEDS = { open: 'anybody', ingest: 'a producer or an operator', read: 'a viewer, an auditor or an operator', control: 'an operator' };

function routeParts(route: DescribedRoute, document: OpenApiDocument): string[] {
  const { method, about, need } = route;
  const operation = document.paths[pathText(route)]?.[method.toLowerCase()];
  const parameters = parametersOf(route);
  const answers = Object.entries(operation?.responses[200]?.content ?? {});
  return [
    `## ${method} ${pathText(route)}`,
    `${about.summary}. For ${NEEDS[need]}.`,
    ...(about.details === undefined ? [] : [about.details]),
    ...(parameters.length === 0 ? [] : [table(['parameter', 'in', 'value', ''], parameters.map(parameterRow))]),
    ...Object.entries(operation?.requestBody?.content ?? {}).flatMap(([type, { schema }]) => contentParts('Body', type, schema as Shape)),
    ...answers.flatMap(([type, { schema }]) => contentParts('Answer', type, schema as Shape)),
    `Errors: ${[...problemsOf(route)].map(([status, codes]) => `${status} ${codes.map(codeLink).join(', ')}`).join(' · ')}`,
  ];
}

function parameterRow({ name, in: where, required, description, schema }: Parameter): string[] {
  return [`\`${name}\``, where, `${valueText(schema as Shape)}${required ? ', required' : ''}`, description];
}

function contentParts(what: string, type: string, shape: Shape): string[] {
  const rows = shapeRows('', shape);
  const says = shape.description === undefined ? '' : ` ${shape.description}`;
  return [`${what}: \`${type}\`.${says}`, ...(rows.length === 0 ? [] : [table(['key', 'value', ''], rows)])];
}

function shapeRows(prefix: string, shape: Shape): string[][] {
  const { properties = {}, required = [] } = shape;
  return Object.entries(properties).flatMap(([key, inner]) => {
    const path = `${prefix}${key}`;
    const absent = required.includes(key) ? '' : ', may be absent';
    return [[`\`${path}\``, `${valueText(inner)}${absent}`, meaningOf(inner)], ...innerRows(path, inner)];
  });
}

/** What may be `null` is described inside. */
function meaningOf({ description, anyOf = [] }: Shape): string {
  return description ?? anyOf.find((inner) => inner.description !== undefined)?.description ?? '';
}

/** What is inside a key: of a list, of the values by name, or of what may be `null`. */
function innerRows(path: string, { properties, items, additionalProperties, anyOf = [] }: Shape): string[][] {
  if (properties !== undefined) return shapeRows(`${path}.`, { properties, required: Object.keys(properties) });
  if (items !== undefined) return innerRows(`${path}[]`, items);
  if (typeof additionalProperties === 'object') return innerRows(`${path}.NAME`, additionalProperties);
  return anyOf.flatMap((inner) => innerRows(path, inner));
}

function valueText({ type, enum: words, const: only, anyOf }: Shape): string {
  if (words !== undefined) return words.map((word) => `\`${String(word)}\``).join(', ');
  if (only !== undefined) return `\`${JSON.stringify(only)}\``;
  if (anyOf !== undefined) return [...new Set(anyOf.map(valueText))].join(' or ');
  return type === 'integer' ? 'whole number' : type === 'null' ? '`null`' : (type ?? 'anything');
}

function codeLink(code: string): string {
  return `[${code}](errors.md#${code.toLowerCase()})`;
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  return [tableLine(head), `|${head.map(() => '---|').join('')}`, ...rows.map(tableLine)].join('\n');
}

function tableLine(cells: readonly string[]): string {
  return `| ${cells.map((cell) => cell.replaceAll('|', '\\|').replaceAll('\n', ' ')).join(' | ')} |`;
}
