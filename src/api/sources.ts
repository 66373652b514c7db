import { z } from 'zod';
import { WaybillError } from '../contracts/errors.ts';
import { inJson, type RouteAbout } from './about.ts';
import type { Answer } from './answer.ts';
import { json } from './answer.ts';
import type { Call } from './call.ts';
import { onlyKnown, shown } from './call.ts';
import { refuseContent } from './control.ts';
import type { StatusView } from './status.ts';
import { snakeCased } from './status.ts';
import { sourceShape } from './status-shape.ts';

/** What an operator can do to a source that is pulled. */
export interface SourceVerbs {
  retry(): void;
}

/** What the routes of sources need. */
export interface SourceParts {
  readonly status: () => StatusView;
  /** `undefined` when there is no source of this name that is pulled. */
  readonly pulled: (name: string) => SourceVerbs | undefined;
}

/** About `POST /v1/sources/NAME/retry`. */
export const retrySourceAbout: RouteAbout = {
  summary: 'End a halt or a pause between attempts of a source that is pulled',
  details: 'It resumes from its position in the ledger.',
  params: [['name', 'Name of a source.']],
  body: inJson(z.strictObject({})),
  bodyOptional: true,
  answer: inJson(sourceShape),
  errors: ['SOURCE_UNKNOWN', 'COMMAND_REFUSED'],
};

/** `POST /v1/sources/NAME/retry`. */
export async function retrySource(call: Call, { status, pulled }: SourceParts): Promise<Answer> {
  onlyKnown(call.query, []);
  await refuseContent(call);
  const name = call.params[0] ?? '';
  const source = pulled(name);
  if (source === undefined && Object.hasOwn(status().sources, name))
    throw new WaybillError('COMMAND_REFUSED', `${name} is not read but sent to: there is nothing to try again here, its senders do`);
  if (source === undefined) throw new WaybillError('SOURCE_UNKNOWN', `there is no source ${shown(name)}`);
  source.retry();
  return json(200, snakeCased(status().sources[name] ?? {}));
}
