import { WaybillError } from '../contracts/errors.ts';

/** Keys of the configuration, or `default`: whatever the machine offers (profiles, web identity, container and instance roles). */
export type S3Credentials = S3Keys | 'default';

/** An access key. */
export interface S3Keys {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
}

const PACKAGE: string = '@aws-sdk/credential-provider-node';

/** The keys to sign with, or a function that gives those of the moment and renews them before they end. */
export async function s3Credentials(credentials: S3Credentials): Promise<S3Keys | (() => Promise<S3Keys>)> {
  if (credentials !== 'default') return credentials;
  const provider = await machineProvider();
  return async () => {
    try {
      return await provider();
    } catch (cause) {
      // The service that gives them may be away for a moment; nothing was sent yet.
      throw new WaybillError('SINK_UNREACHABLE', `this machine has no credentials for S3 now: ${String(cause)}`, { cause });
    }
  };
}

async function machineProvider(): Promise<() => Promise<S3Keys>> {
  try {
    // It is large and few need it, so it is no dependency: who needs it installs it.
    const { defaultProvider } = (await import(PACKAGE)) as { readonly defaultProvider: () => () => Promise<S3Keys> };
    return defaultProvider();
  } catch (cause) {
    throw new WaybillError('SINK_PACKAGE_MISSING', `\`credentials: default\` needs a package: npm install ${PACKAGE}`, { cause });
  }
}
