/** What a starter configuration is made with. */
export interface StarterFacts {
  /** The name of the log. */
  readonly origin: string;
  /** The file beside the configuration with the operator's token, and the hash of that token. */
  readonly tokenFile: string;
  readonly tokenSha256: string;
}

/** The file that `waybill init` writes where there is none: it runs as it is. */
export function starterConfig({ origin, tokenFile, tokenSha256 }: StarterFacts): string {
  return `# Waybill: audit events in, one durable order, every destination complete.
# Every key: \`waybill schema\`, or docs/configuration.md. After a change: \`waybill check\`.
ledger:
  origin: ${origin}   # name of this log: choose it once, it can not be changed
  path: ./data
  keys: ./keys   # signs the heads of the log; keep a copy in another place than the ledger
  # limit: 50GiB

api:
  listen: 127.0.0.1:8400
  client: { token_file: ./${tokenFile} }   # the token of the commands; the process itself knows only hashes
  tokens:   # \`waybill token\` makes more
    - { name: operator, role: operator, token_sha256: ${tokenSha256} }

sources:
  app: { type: http, schema: waybill/1 }

destinations:
  archive: { type: file, path: ./out/audit.ndjson, start: beginning }
  # hook: { type: http, url: https://logs.example/in, token: "\${HOOK_TOKEN}", start: now }
`;
}
