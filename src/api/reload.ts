import { z } from 'zod';
import { WaybillError } from '../contracts/errors.ts';
import { inJson, type RouteAbout } from './about.ts';
import type { Answer } from './answer.ts';
import { json } from './answer.ts';
import type { Call } from './call.ts';
import { onlyKnown } from './call.ts';
import { snakeCased } from './status.ts';

/** What the route of a reload needs. */
export interface ReloadParts {
  /**
   * Goes over to the configuration as its file is now, or, for a trial, only says what that would do. `token` is who asks. Rejects with
   * what is wrong, and nothing has changed.
   */
  readonly reload: (request: { readonly trial: boolean; readonly token: string | null }) => Promise<object>;
}

const bodyShape = z.strictObject({
  dry_run: z.boolean().optional().describe('Only say what would be done. Default false.'),
});

const names = z.array(z.string());

const changesShape = z
  .strictObject({
    kept: names.describe('They go on untouched.'),
    changed: names.describe('They go on by other rules, without a pause.'),
    restarted: names.describe('They are stopped, and started with their new configuration.'),
    started: names.describe('They are new.'),
    stopped: names.describe('They are no longer in the file.'),
  })
  .describe('What becomes of each, by name.');

/** About `POST /v1/reload`. */
export const reloadAbout: RouteAbout = {
  summary: 'Read the configuration file again',
  details: 'Only what changed is touched. When anything is wrong nothing changes at all, and the message lists every mistake.',
  body: inJson(bodyShape),
  bodyOptional: true,
  answer: inJson(
    z.strictObject({
      dry_run: z.boolean().describe('Whether it was only said and not done.'),
      changed: names.describe('Paths of the file whose values are other ones; never a value.'),
      sources: changesShape.describe('The sources.'),
      destinations: changesShape.describe('The destinations.'),
      listeners: changesShape.describe('The addresses that are listened on.'),
    }),
  ),
  errors: [
    'CONFIG_INVALID',
    'CONFIG_MISSING',
    'RELOAD_REFUSED',
    'RELOAD_FAILED',
    'LISTEN_FAILED',
    'LISTEN_UNSAFE',
    'TLS_INVALID',
    'DISK_FAILED',
  ],
};

/** `POST /v1/reload`: answers once the configuration is at work. */
export async function reloadConfiguration(call: Call, { reload }: ReloadParts): Promise<Answer> {
  onlyKnown(call.query, []);
  const { dry_run: trial = false } = await bodyOf(call);
  return json(200, snakeCased(await reload({ trial, token: call.caller.name })));
}

async function bodyOf(call: Call): Promise<z.infer<typeof bodyShape>> {
  const text = (await call.body()).toString().trim();
  if (text === '') return {};
  if (call.header('content-type')?.toLowerCase() !== 'application/json') {
    throw new WaybillError('CONTENT_TYPE_UNSUPPORTED', 'this path takes no body, or one as application/json');
  }
  const read = bodyShape.safeParse(parsed(text));
  if (read.success) return read.data;
  throw new WaybillError('REQUEST_INVALID', 'this path takes {} or {"dry_run":true}');
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
