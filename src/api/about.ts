import { z } from 'zod';
import type { ErrorCode } from '../contracts/errors.ts';

/**
 * What a client has to know of a route beside its method and path. It stands beside the handler, and `/openapi.json` and `docs/api.md` are
 * made from it. Shapes are those of zod; every key says with `.describe` what it is.
 */
export interface RouteAbout {
  /** What the route does, in a few words and without a full stop. */
  readonly summary: string;
  /** What else a client should know, in sentences. */
  readonly details?: string;
  /** The name of each `*` of the path in order, and what stands there. */
  readonly params?: readonly (readonly [name: string, means: string])[];
  /** The parameters behind the question mark. Those that may be absent are optional. */
  readonly query?: z.ZodObject;
  /** Request headers that mean something here, by name in lower case. */
  readonly headers?: z.ZodObject;
  /** What the body may be, by content type. Absent: there is none. */
  readonly body?: Content;
  /** Whether the route also takes a request without the body. */
  readonly bodyOptional?: true;
  /** What is answered with 200, by content type. */
  readonly answer: Content;
  /** The answer to an error where it says more than code, message and action. */
  readonly problem?: z.ZodType;
  /** The errors of this route beside those that every route with its need and method can meet. */
  readonly errors?: readonly ErrorCode[];
}

/** Shapes by content type. */
export type Content = Readonly<Record<string, z.ZodType>>;

/** The answer to a request that met an error. */
export const problemShape = z.object({
  error: z
    .object({
      code: z.string().describe('One of the codes in docs/errors.md.'),
      message: z.string().describe('What is wrong, with the thing and the value.'),
      action: z.string().describe('What to do about it.'),
    })
    .describe('What went wrong.'),
});

/** Content in JSON. */
export function inJson(shape: z.ZodType): Content {
  return { 'application/json': shape };
}

/** The part of the path that names a destination. */
export const DESTINATION_PARAM = ['name', 'Name of a destination.'] as const;

/** An index or a count of entries. */
export function whole(means: string) {
  return z.int().min(0).describe(means);
}
