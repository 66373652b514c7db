import type { Connection, Guard, Need } from './guard.ts';

/** An answer that is being sent in pieces, and by what its reader was let in. */
export interface LastingAnswer {
  readonly need: Need;
  readonly authorization: string | undefined;
  readonly connection: Connection;
  /** Breaks it off. */
  readonly end: () => void;
}

/** The answers in pieces that are being sent. Some of them take for ever. */
export interface LastingAnswers {
  /** Counts an answer for as long as it is being sent. */
  during(answer: LastingAnswer, sent: Promise<void>): Promise<void>;
  /** Breaks off those whose readers may no longer have them. */
  recheck(guard: Pick<Guard, 'authorize'>): void;
}

/** Makes the list of them. */
export function createLastingAnswers(): LastingAnswers {
  const all = new Set<LastingAnswer>();
  return {
    async during(answer, sent) {
      all.add(answer);
      try {
        await sent;
      } finally {
        all.delete(answer);
      }
    },
    recheck(guard) {
      for (const { need, authorization, connection, end } of all) {
        try {
          guard.authorize(need, authorization, connection);
        } catch {
          end();
        }
      }
    },
  };
}
