/** Who may import whom inside `src`: the folder, and the folders or files that it may take from. Every folder may take from itself. */
export const IMPORTS: Readonly<Record<string, readonly string[]>> = {
  contracts: [],
  tlog: [],
  runtime: ['contracts'],
  codecs: ['contracts'],
  sources: ['contracts'],
  sinks: ['contracts'],
  ledger: ['contracts'],
  delivery: ['contracts'],
  intake: ['contracts', 'tlog'],
  tree: ['contracts', 'tlog'],
  verify: ['contracts', 'tlog'],
  export: ['contracts', 'tlog'],
  witness: ['contracts', 'tlog'],
  config: ['contracts', 'tlog'],
  pipeline: ['contracts', 'tlog', 'runtime', 'codecs', 'sources', 'sinks', 'ledger', 'delivery', 'intake', 'tree', 'config'],
  api: ['contracts', 'tlog', 'intake', 'config', 'codecs/native.ts'],
  cli: [
    'contracts',
    'config',
    'pipeline',
    'runtime',
    'verify',
    'export',
    'tlog',
    'witness',
    // What a configuration can name, and what an event looks like.
    'sinks/table.ts',
    'sources/table.ts',
    'codecs/table.ts',
    'intake/waybill-event-schema.ts',
    // `run` puts the API before the pipeline; `init` creates the ledger that a pipeline opens, and its keys.
    'api',
    'ledger/embedded/create.ts',
    'tree/key-store.ts',
    'tree/signing-key.ts',
  ],
};

/** Packages that only one folder may import. */
export const PACKAGES: Readonly<Record<string, readonly string[]>> = {
  undici: ['runtime'],
  pino: ['runtime'],
  commander: ['cli'],
  yaml: ['config'],
  zod: ['config', 'sinks', 'sources', 'api', 'cli'],
  '@prometheus-io/client': ['api'],
  '@opentelemetry/api': ['runtime'],
  '@opentelemetry/sdk-trace': ['runtime'],
  '@opentelemetry/exporter-trace-otlp-http': ['runtime'],
  '@opentelemetry/resources': ['runtime'],
  '@node-rs/crc32': ['ledger', 'tree', 'verify'],
  '@smithy/signature-v4': ['sinks'],
};

/** Packages that the page in `console/` may import. */
export const PAGE_PACKAGES: readonly string[] = ['react', 'react-dom/client'];

/** What touches time, chance, disk, network or the environment, and so belongs into `src/runtime`. */
export const OUTSIDE: readonly (readonly [name: string, pattern: RegExp])[] = [
  ['node:fs', /from 'node:fs(?:\/promises)?'/],
  ['node:net', /from 'node:(?:net|tls|dgram|dns|dns\/promises)'/],
  ['node:http', /from 'node:(?:http|https|http2)'/],
  ['node:child_process', /from 'node:(?:child_process|cluster)'/],
  ['node:worker_threads', /from 'node:worker_threads'/],
  ['node:os', /from 'node:os'/],
  ['node:sqlite', /from 'node:sqlite'/],
  ['timers', /from 'node:timers(?:\/promises)?'|(?<![.\w])set(?:Timeout|Interval|Immediate)\(/],
  ['the clock', /\bDate\.now\(|\bnew Date\(\)|\bperformance\.|\bprocess\.hrtime|from 'node:perf_hooks'|\bAbortSignal\.timeout\(/],
  ['chance', /\bMath\.random\(|\brandom(?:UUID|UUIDv7|Bytes|Int|FillSync|Fill)\(|\bgetRandomValues\(/],
  ['the environment', /\bprocess\.env\b/],
  ['fetch', /\bfetch\(/],
];

/** The files outside `src/runtime` that may touch something of that, and why. One that no longer does is a mistake here. */
export const OUTSIDE_ALLOWED: readonly { readonly file: string; readonly what: readonly string[]; readonly why: string }[] = [
  {
    file: 'src/cli/machine.ts',
    what: ['node:fs', 'node:net', 'node:child_process', 'node:os', 'timers'],
    why: 'the files and child processes of commands, all in one place; nothing of it runs in the pipeline',
  },
  {
    file: 'src/api/listener.ts',
    what: ['node:http', 'node:net'],
    why: 'the API is an HTTP server; it asks the ports for time and files like everybody',
  },
  { file: 'src/api/tls.ts', what: ['node:net'], why: 'certificates are tried before they are used; nothing is sent' },
  { file: 'src/cli/client.ts', what: ['the clock'], why: 'commands talk to the running process' },
  { file: 'src/cli/demo/sender.ts', what: ['the clock'], why: 'the application of the demo gives up on an answer' },
  {
    file: 'src/cli/demo/receiver.ts',
    what: ['node:http', 'node:net', 'timers'],
    why: 'the receiver of the demo is a program of its own',
  },
  { file: 'src/cli/demo/store.ts', what: ['node:http', 'node:net'], why: 'the object store of the demo is a program of its own' },
  {
    file: 'src/cli/demo/object-store.ts',
    what: ['node:http', 'node:net', 'the clock'],
    why: 'the store of the demo is a server; nothing of it runs in the pipeline',
  },
  { file: 'src/cli/demo/object-store-signature.ts', what: ['node:http'], why: 'the type of the headers that a server gets' },
];

/** What never stands in a source file, comments included, and what to do instead. */
export const BANNED_TEXT: readonly (readonly [pattern: RegExp, instead: string])[] = [
  [/\b(?:TODO|FIXME|XXX|HACK)\b/, 'finish it, or write it down as an open question in docs/design'],
  [/@ts-(?:ignore|nocheck|expect-error)/, 'make the types say the truth'],
];

/** What never stands in code, and what to do instead. */
export const BANNED: readonly (readonly [pattern: RegExp, instead: string])[] = [
  [/^export default\b/m, 'name what you export'],
  [/^export (?:type )?(?:\*|\{)/m, 'import from the file that defines it; there are no barrels'],
  [/^(?:export )?(?:const )?enum\b/m, 'use a union of strings'],
  [/^(?:export )?(?:declare )?namespace\b/m, 'use a module'],
  [/(?::|\bas|<) ?any\b(?!['\w])/, 'use unknown and check it'],
];

/** Names of files and folders that say nothing about what is inside. */
export const BANNED_NAMES =
  /^(?:index|utils?|helpers?|common|misc|shared|lib|manager)(?:\.test)?\.ts$|^(?:utils?|helpers?|common|misc|shared|lib)$/;

/** What belongs to one machine or one person's network, and not into a repository. */
export const BANNED_EVERYWHERE: readonly (readonly [pattern: RegExp, why: string])[] = [
  [/(?<![\w.])\/(?:home|root|Users|work|workspace)\/[\w.-]+/, 'a path of one machine'],
  [/\/tmp\/(?:helper|claude)/i, 'a path of one machine'],
  [/https?:\/\/[^\s"')]*(?:artifactory|nexus|npmmirror|registry\.npm|registry\.yarn|verdaccio)/i, 'the host of a package registry'],
];

/** Limits of a file. */
export const LINES_MAX = 400;
export const COLUMNS_MAX = 140;
