/** A checked shape: parses what comes from outside, or says what is wrong. Zod's schemas have this form. */
export interface Schema<Out> {
  safeParse(input: unknown): { readonly success: true; readonly data: Out } | { readonly success: false; readonly error: SchemaError };
}

/** Why a value did not fit, one issue per fault. */
export interface SchemaError {
  readonly issues: readonly { readonly path: readonly PropertyKey[]; readonly message: string }[];
}
