import type { SourceDefinition } from '../contracts/source.ts';
import { file } from './file.ts';
import { http } from './http.ts';

/** Every kind of source there is. A new one is one file and one row. */
export const sources = { file, http } as const satisfies Record<string, SourceDefinition>;

/** The name of a kind of source, as `type` in the configuration. */
export type SourceType = keyof typeof sources;
