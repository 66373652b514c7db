import { docsPages } from './docs-pages.ts';
import { absolutePath, replaceFile } from './machine.ts';

// `npm run docs`: writes the pages that are made from the code. It runs in the root of the repository.
for (const [path, text] of docsPages()) {
  replaceFile(absolutePath(path), text);
  process.stdout.write(`${path}\n`);
}
