/** The environment of the process as it is now. Nothing else reads it, so that a test can give another one. */
export function readEnvironment(): Readonly<Record<string, string>> {
  // Without a prototype, so that no name is there that nobody has set.
  const variables = Object.create(null) as Record<string, string>;
  for (const [name, value] of Object.entries(process.env)) if (value !== undefined) variables[name] = value;
  return variables;
}
