/**
 * The URL of a thread's entry module that lies beside `from`: the source while the sources run, the compiled file from `dist`.
 * `name` has no extension.
 */
export function threadEntry(name: string, from: string): URL {
  return new URL(`./${name}${from.endsWith('.ts') ? '.ts' : '.js'}`, from);
}
