import type { SinkDefinition } from '../contracts/sink.ts';
import { file } from './file.ts';
import { http } from './http.ts';
import { s3 } from './s3.ts';
import { stdout } from './stdout.ts';
import { webhook } from './webhook.ts';

/** Every kind of sink there is. A new one is one file and one row. */
export const sinks = { file, http, s3, stdout, webhook } as const satisfies Record<string, SinkDefinition>;

/** The name of a kind of sink, as `type` in the configuration. */
export type SinkType = keyof typeof sinks;
