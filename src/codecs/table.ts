import type { Codec } from '../contracts/codec.ts';
import { native } from './native.ts';

/** Every format there is. A new one is one file and one row. */
export const codecs = { native } as const satisfies Record<string, Codec>;

/** The name of a format, as `format` in the configuration. */
export type CodecType = keyof typeof codecs;
