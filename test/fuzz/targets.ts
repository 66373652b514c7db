import { CONFIG_TARGETS } from './config-targets.ts';
import { FILE_TARGETS } from './file-targets.ts';
import { HTTP_TARGETS } from './http-targets.ts';
import { SINK_TARGETS } from './sink-targets.ts';
import { SOURCE_TARGETS } from './source-targets.ts';
import type { FuzzTarget } from './target.ts';
import { TLOG_TARGETS } from './tlog-targets.ts';
import { VERIFY_TARGETS } from './verify-targets.ts';
import { WITNESS_TARGETS } from './witness-targets.ts';

/** Every parser that meets the network or a file, beside those of events. */
export const TARGETS: readonly FuzzTarget[] = [
  ...HTTP_TARGETS,
  ...CONFIG_TARGETS,
  ...SINK_TARGETS,
  ...SOURCE_TARGETS,
  ...FILE_TARGETS,
  ...TLOG_TARGETS,
  ...VERIFY_TARGETS,
  ...WITNESS_TARGETS,
];
