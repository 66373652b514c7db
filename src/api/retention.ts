import { z } from 'zod';
import { inJson, type RouteAbout } from './about.ts';
import type { Answer } from './answer.ts';
import { json } from './answer.ts';
import type { Call } from './call.ts';
import { onlyKnown } from './call.ts';
import { refuseContent } from './control.ts';

/** What the retention routes need. */
export interface RetentionParts {
  /** Declares that the clock is right. Answers whether that was in doubt. */
  readonly confirmClock: () => Promise<boolean>;
}

/** About `POST /v1/retention/confirm`. */
export const confirmClockAbout: RouteAbout = {
  summary: 'Confirm the clock after it stepped',
  details: 'While the clock is in doubt no entry is removed for its age, and no destination is detached for the age of what it needs.',
  body: inJson(z.strictObject({})),
  bodyOptional: true,
  answer: inJson(z.object({ confirmed: z.boolean().describe('False when the clock was not in doubt: nothing was done.') })),
};

/** `POST /v1/retention/confirm`. */
export async function confirmClock(call: Call, { confirmClock: confirm }: RetentionParts): Promise<Answer> {
  onlyKnown(call.query, []);
  await refuseContent(call);
  return json(200, { confirmed: await confirm() });
}
