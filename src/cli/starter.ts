/** The file that `waybill init` writes where there is none: it runs as it is. `origin` names the log, `tokenFile` is beside it. */
export function starterConfig(origin: string, tokenFile: string): string {
  return `# Waybill: audit events in, one durable order, every destination complete.
# Every key: \`waybill schema\`, or docs/configuration.md. After a change: \`waybill check\`.
ledger:
  origin: ${origin}   # name of this log: choose it once, it can not be changed
  path: ./data
  # limit: 50GiB

api:
  listen: 127.0.0.1:8400
  tokens:
    - { name: operator, role: operator, token: "\${file:${tokenFile}}" }

sources:
  app: { type: http, schema: waybill/1 }

destinations:
  archive: { type: file, path: ./out/audit.ndjson, start: beginning }
  # hook: { type: http, url: https://logs.example/in, token: "\${HOOK_TOKEN}", start: now }
`;
}
