import { z } from 'zod';
import { DURATION_PATTERN, parseDuration } from '../contracts/quantities.ts';
import type { SourceDefinition } from '../contracts/source.ts';
import { matchesPath, patternFault } from './file-glob.ts';
import { FileSource } from './file-source.ts';

/** How files are followed. */
export interface FileSourceConfig {
  readonly paths: readonly string[];
  readonly format: 'ndjson' | 'lines';
  readonly start: 'beginning' | 'end';
  readonly poll: number;
  readonly final_line_after?: number | undefined;
  readonly forget_after: number;
}

const FINAL_LINE = 'a line whose end comes later than `final_line_after` becomes two events';

const pattern = z
  .string()
  .min(1)
  .max(4_096)
  .superRefine((text, context) => {
    const message = patternFault(text);
    if (message !== null) context.addIssue({ code: 'custom', message });
  });

/** Lines of files, such as logs, through every kind of rotation. */
export const file: SourceDefinition<FileSourceConfig> = {
  type: 'file',
  title: 'File',
  summary:
    'Follows the lines of files, through renaming, cutting and packing with gzip. Each content is a partition of its own; its position, ' +
    'durable with its events, is the place in the content with the prints of what lies before it, so that a content is known again in ' +
    'another file. The patterns should also name the files that a rotation sets apart (`app.log*`): a line that was not read before its ' +
    'file left the patterns is only read while the process runs.',
  config: z.strictObject({
    paths: z
      .array(pattern.meta({ path: true }))
      .min(1)
      .max(100)
      .describe('Which files: paths in which `*` and `?` stand for characters of one name. They may appear later.'),
    format: z
      .enum(['ndjson', 'lines'])
      .default('ndjson')
      .describe(
        '`ndjson`: one JSON object to a line. `lines`: plain text; a line becomes `{"line":"…"}`, with `base64` when it is not UTF-8.',
      ),
    start: z
      .enum(['beginning', 'end'])
      .default('beginning')
      .describe('Where files begin that are there when the source first starts. Files that come later are read from their beginning.'),
    poll: duration(20, 60_000).prefault('250ms').describe('How often the files are looked at. Many files are looked at less often.'),
    final_line_after: duration(1_000, 86_400_000)
      .optional()
      .describe(
        'How long a last line without a line feed may stand without a byte more until it is taken. Absent: until its file is set apart.',
      ),
    forget_after: duration(60_000, 400 * 86_400_000)
      .prefault('1d')
      .describe('How long the place in a file that is gone is remembered, in case that it comes back or turns up packed.'),
  }),
  traits: { delivery: 'resumable', recountable: false },
  schemas: ({ format }) => (format === 'lines' ? ['json'] : ['json', 'waybill/1']),
  caveats: ({ final_line_after: finalLineAfter }) => [
    'what is written between the last look and the cutting of a file (copytruncate) is lost, and declared as `source.truncated`',
    ...(finalLineAfter === undefined ? [] : [FINAL_LINE]),
  ],
  reads: ({ paths }, path) => paths.some((one) => matchesPath(one, path)),
  async open({ paths, format, start, poll, final_line_after: finalLineAfter, forget_after: forgetAfterMs }, { name, ports }) {
    return new FileSource({
      name,
      paths,
      format,
      start,
      pollMs: poll,
      finalLineAfterMs: finalLineAfter ?? null,
      forgetAfterMs,
      ports,
    });
  },
};

function duration(min: number, max: number) {
  return z
    .string()
    .regex(DURATION_PATTERN, 'expected a duration such as 250ms, 30s or 5m')
    .transform((text, context) => {
      const value = parseDuration(text);
      if (value !== null && value >= min && value <= max) return value;
      context.addIssue({ code: 'custom', message: value === null || value > max ? 'too large' : 'too small' });
      return z.NEVER;
    });
}
