import type { NamedSource } from '../intake/names.ts';
import type { Intake } from '../intake/sequencer.ts';

/**
 * Renames the sources whose configuration says so: what was renamed once is not renamed again. Nothing may be read under the names
 * before. Rejects with `RENAME_REFUSED`, and has renamed nothing, when one of them cannot have its name. `undo` is told of each renaming.
 */
export async function takeOverNames(
  intake: Pick<Intake, 'rename' | 'refuseNames'>,
  sources: readonly NamedSource[],
  undo: (from: string, to: string) => void = () => undefined,
): Promise<void> {
  intake.refuseNames(sources);
  for (const { name, renamedFrom } of sources) {
    if (renamedFrom !== null && (await intake.rename(renamedFrom, name))) undo(renamedFrom, name);
  }
}
