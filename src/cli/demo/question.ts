import { z } from 'zod';

/** What the page of the demo asks of the demo. */
export type DemoQuestion = z.infer<typeof question>;

/** What the demo answers: how it stands now, or why it will not do what it was asked for. */
export type DemoReply =
  | { readonly ok: true; readonly view: DemoView }
  | { readonly ok: false; readonly code: 'COMMAND_REFUSED' | 'DESTINATION_UNKNOWN'; readonly message: string };

/** The demo as its page shows it: the answer of `GET /demo`. */
export interface DemoView {
  /** What the demo is doing beside sending: the guided minute, or a comparison. */
  readonly busy: 'no' | 'playing' | 'comparing';
  /** The destinations that can be broken, and those that are. */
  readonly breakable: readonly string[];
  readonly broken: readonly string[];
  readonly steps: readonly StepView[];
  /** The last comparison; `null` before the first. */
  readonly verdict: VerdictView | null;
}

/** One step of the guided minute. */
export interface StepView {
  readonly title: string;
  /** What the step is about, and once it is over, what came of it. */
  readonly note: string;
  readonly state: 'ahead' | 'now' | 'done' | 'failed';
}

/** What a comparison of every destination with the ledger found. */
export interface VerdictView {
  readonly agree: boolean;
  /** How many entries were compared. */
  readonly entries: number;
  readonly places: readonly PlaceVerdict[];
  readonly findings: readonly { readonly what: string; readonly found: string; readonly good: boolean }[];
}

/** What one destination holds, beside the ledger. */
export interface PlaceVerdict {
  readonly name: string;
  readonly entries: number;
  readonly lost: number;
  readonly repeated: number;
  readonly out_of_order: number;
  /** Entries that are there with other bytes. */
  readonly changed: number;
}

const question = z.discriminatedUnion('action', [
  z.strictObject({ action: z.enum(['look', 'play', 'compare', 'kill']) }),
  z.strictObject({ action: z.enum(['break', 'repair']), destination: z.string() }),
]);

const reply = z.union([
  z.looseObject({ ok: z.literal(true), view: z.looseObject({}) }),
  z.looseObject({ ok: z.literal(false), code: z.enum(['COMMAND_REFUSED', 'DESTINATION_UNKNOWN']), message: z.string() }),
]);

/** Reads what came over the channel. Throws for what is no question. */
export function readQuestion(value: unknown): DemoQuestion {
  return question.parse(value);
}

/** Reads the answer to a question. Throws for what is none. */
export function readReply(value: unknown): DemoReply {
  return reply.parse(value) as DemoReply;
}
