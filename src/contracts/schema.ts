/** A checked shape: parses what comes from outside, or says what is wrong. Zod's schemas have this form. */
export interface Schema<Out> {
  safeParse(input: unknown): { readonly success: true; readonly data: Out } | { readonly success: false; readonly error: SchemaError };
}

/** Why a value did not fit, one issue per fault. */
export interface SchemaError {
  readonly issues: readonly { readonly path: readonly PropertyKey[]; readonly message: string }[];
}

/**
 * What the schema of an adapter says about one of its keys beside its type, given to zod as `.meta(…)`.
 * The configuration acts on it, so that no adapter has to: a secret is never shown, a path is taken relative to the configuration file.
 */
export interface KeyMarks {
  readonly secret?: true;
  readonly path?: true;
  /** On a schema as a whole that leaves a choice between keys: settings that fit it, for what its page says about the default. */
  readonly smallest?: Readonly<Record<string, unknown>>;
}
