import { ownFile, readText } from './machine.ts';

/** The version of this package. */
export function version(): string {
  const file = ownFile('package.json');
  const manifest = JSON.parse((file === null ? null : readText(file)) ?? '{}') as { readonly version?: string };
  return manifest.version ?? 'unknown';
}
