/** The module that runs the background work of a verification, for `openPorts`. */
export const VERIFY_JOBS: URL = new URL(import.meta.url.endsWith('.ts') ? './jobs.ts' : './jobs.js', import.meta.url);
