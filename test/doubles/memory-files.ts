import type { FileFacts, Files, ForeignFile } from '../../src/contracts/ports.ts';

/** Files of another program in memory, by their paths. */
export function memoryFiles(files: ReadonlyMap<string, Uint8Array>): Files {
  const facts = (path: string, bytes: Uint8Array | null): FileFacts => {
    return { device: '1', inode: path, bytes: bytes?.length ?? 0, modifiedMs: 0, regular: bytes !== null };
  };
  const isDirectory = (path: string): boolean => [...files.keys()].some((name) => name.startsWith(`${path}/`));
  return {
    async list(directory) {
      const names = [...files.keys()].filter((path) => path.startsWith(`${directory}/`)).map((path) => path.slice(directory.length + 1));
      return isDirectory(directory) ? [...new Set(names.map((name) => name.split('/', 1)[0] ?? ''))].toSorted() : null;
    },
    async stat(path) {
      const bytes = files.get(path);
      if (bytes !== undefined) return facts(path, bytes);
      return isDirectory(path) ? facts(path, null) : null;
    },
    async open(path): Promise<ForeignFile | null> {
      const bytes = files.get(path);
      if (bytes === undefined) return null;
      return {
        stat: async () => facts(path, bytes),
        read: async (at, length) => Uint8Array.from(bytes.subarray(at, at + length)),
        close: () => Promise.resolve(),
      };
    },
  };
}
