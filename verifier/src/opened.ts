import type { FolderFiles } from './judge-export.ts';

/** A file that somebody opened, with its path from what was opened. */
export interface OpenedFile {
  readonly path: string;
  readonly file: File;
}

/** The files of an input: of a folder with their paths in it. */
export function filesOfInput(input: HTMLInputElement): readonly OpenedFile[] {
  return [...(input.files ?? [])].map((file) => ({ path: file.webkitRelativePath === '' ? file.name : file.webkitRelativePath, file }));
}

/** The files that were dropped, those of folders with their paths in them. It has to be called before the event has ended. */
export function filesOfDrop(items: DataTransferItemList): Promise<readonly OpenedFile[]> {
  const opened = [...items].map((item) => {
    const entry = item.webkitGetAsEntry();
    if (entry !== null) return filesOfEntry(entry);
    // What comes from another program has no place in a file system.
    const file = item.getAsFile();
    return Promise.resolve(file === null ? [] : [{ path: file.name, file }]);
  });
  return Promise.all(opened).then((found) => found.flat());
}

/** The folder that files are in, from where its checkpoint is. */
export function folderOf(files: readonly OpenedFile[]): FolderFiles {
  const checkpoint = files.map(({ path }) => path).find((path) => path === 'checkpoint' || path.endsWith('/checkpoint')) ?? '';
  const prefix = checkpoint.slice(0, -'checkpoint'.length);
  const byName = new Map(files.filter(({ path }) => path.startsWith(prefix)).map(({ path, file }) => [path.slice(prefix.length), file]));
  return {
    names: [...byName.keys()],
    async read(name) {
      const file = byName.get(name);
      return file === undefined ? null : new Uint8Array(await file.arrayBuffer());
    },
  };
}

async function filesOfEntry(entry: FileSystemEntry): Promise<readonly OpenedFile[]> {
  const path = entry.fullPath.replace(/^\//, '');
  if (isFile(entry)) return [{ path, file: await new Promise<File>((resolve, reject) => entry.file(resolve, reject)) }];
  const reader = (entry as FileSystemDirectoryEntry).createReader();
  const found: OpenedFile[] = [];
  for (;;) {
    // A folder is read in parts, until one is empty.
    const part = await new Promise<FileSystemEntry[]>((resolve, reject) => reader.readEntries(resolve, reject));
    if (part.length === 0) return found;
    for (const one of part) found.push(...(await filesOfEntry(one)));
  }
}

function isFile(entry: FileSystemEntry): entry is FileSystemFileEntry {
  return entry.isFile;
}
