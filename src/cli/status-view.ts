import { z } from 'zod';
import { WaybillError } from '../contracts/errors.ts';

const destination = z.looseObject({
  type: z.string().nullish(),
  state: z.string(),
  cursor: z.int(),
  lag: z.int(),
  counters: z.looseObject({ repeats: z.int() }).nullish(),
  quarantine: z.array(z.looseObject({ from: z.int(), through: z.int() })).nullish(),
  side: z.looseObject({ name: z.string(), from: z.int(), through: z.int(), cursor: z.int() }).nullish(),
  head: z.looseObject({ from: z.int(), through: z.int(), in_doubt: z.boolean(), attempts: z.int() }).nullish(),
  next_retry_at: z.number().nullish(),
  error: z.looseObject({ code: z.string(), message: z.string(), action: z.string() }).nullish(),
  checkpoint: z.looseObject({ fault: z.looseObject({ code: z.string(), message: z.string(), action: z.string() }).nullable() }).nullish(),
});

const pulled = z.looseObject({
  state: z.string(),
  lag_bytes: z.number().nullable(),
  error: z.looseObject({ code: z.string(), message: z.string(), action: z.string() }).nullish(),
  problems: z.array(z.looseObject({ place: z.string(), message: z.string() })),
});

const view = z.looseObject({
  ledger: z.looseObject({
    origin: z.string(),
    durable: z.int(),
    head: z.looseObject({ size: z.int(), root: z.string() }).nullish(),
    tree: z.looseObject({ fault: z.looseObject({ code: z.string(), message: z.string() }).nullable() }).nullish(),
    heads: z
      .looseObject({
        published: z.looseObject({ size: z.int(), root: z.string(), at: z.string() }).nullable(),
        keys: z.array(z.looseObject({ verifier_key: z.string() })),
        witnesses: z
          .array(
            z.looseObject({
              name: z.string(),
              required: z.boolean(),
              size: z.int().nullable(),
              fault: z.looseObject({ code: z.string(), message: z.string() }).nullable(),
            }),
          )
          .default([]),
        fault: z.looseObject({ code: z.string(), message: z.string(), action: z.string() }).nullable(),
      })
      .nullish(),
    bytes: z.looseObject({ used: z.number() }).nullish(),
    damage: z.string().nullish(),
    beginning: z.int().nullish(),
    days_left: z.number().nullish(),
    retention: z
      .looseObject({
        state: z.string(),
        held_by: z.looseObject({ kind: z.string(), name: z.string(), index: z.int() }).nullable(),
      })
      .nullish(),
  }),
  sources: z.record(z.string(), z.looseObject({ type: z.string().nullish(), pulled: pulled.nullish() })),
  destinations: z.record(z.string(), destination),
  reload: z.looseObject({ at: z.string(), error: z.looseObject({ code: z.string(), message: z.string() }).nullable() }).nullish(),
});

/** What `GET /v1/status` answers, as far as commands read it. */
export type StatusView = z.infer<typeof view>;

/** Reads an answer of `GET /v1/status`. Rejects with `API_UNEXPECTED` what is not one. */
export function readStatus(answer: unknown): StatusView {
  const result = view.safeParse(answer);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  throw new WaybillError('API_UNEXPECTED', `the status of the running process has no readable ${issue?.path.join('.') ?? 'content'}`);
}
