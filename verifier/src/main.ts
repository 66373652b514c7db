import { judgeExport } from './judge-export.ts';
import { judgeProof } from './judge-proof.ts';
import { filesOfDrop, filesOfInput, folderOf, type OpenedFile } from './opened.ts';
import { Fault, type Verdict } from './verdict.ts';

const keys = part('keys', HTMLTextAreaElement);
const state = part('state', HTMLParagraphElement);
const what = part('what', HTMLParagraphElement);
const facts = part('facts', HTMLDListElement);
const progress = part('progress', HTMLProgressElement);

/** Counts what was begun: only the last one may show its result. */
let turn = 0;

for (const id of ['files', 'folder']) {
  const input = part(id, HTMLInputElement);
  input.addEventListener('change', () => {
    const files = filesOfInput(input);
    // The same files can be chosen again, with another key.
    input.value = '';
    if (files.length > 0) void judge(files);
  });
}

document.addEventListener('dragover', (event) => {
  event.preventDefault();
  document.body.classList.add('dropping');
});
document.addEventListener('dragleave', (event) => {
  if (event.relatedTarget === null) document.body.classList.remove('dropping');
});
document.addEventListener('drop', (event) => {
  event.preventDefault();
  document.body.classList.remove('dropping');
  const items = event.dataTransfer?.items;
  if (items !== undefined) void filesOfDrop(items).then(judge, failed);
});

async function judge(files: readonly OpenedFile[]): Promise<void> {
  const mine = ++turn;
  show({ kind: 'working', title: 'Checking…', what: '', facts: [] });
  const proof = files.find(({ path }) => path.endsWith('.tlog-proof'));
  const isFolder = files.some(({ path }) => path.includes('/'));
  const verdict =
    proof === undefined || isFolder
      ? await judgeExport(folderOf(files), keys.value, (entries, of) => mine === turn && advance(entries, of))
      : await judgeFiles(proof, files);
  if (mine === turn) show(verdict);
}

async function judgeFiles(proof: OpenedFile, files: readonly OpenedFile[]): Promise<Verdict> {
  const entry = files.find((file) => file !== proof);
  if (entry === undefined || files.length > 2)
    return new Fault('A proof is checked together with the file of its entry: choose both, and nothing else.').verdict(
      '`waybill prove INDEX` writes the two beside each other.',
    );
  const [proofBytes, entryBytes] = await Promise.all([proof, entry].map(({ file }) => file.arrayBuffer()));
  return judgeProof(new Uint8Array(proofBytes ?? []), new Uint8Array(entryBytes ?? []), keys.value);
}

function failed(error: unknown): void {
  show(new Fault(`What was dropped cannot be read: ${String(error)}.`).verdict('Choose it with one of the buttons.'));
}

function advance(entries: number, of: number): void {
  progress.hidden = false;
  progress.max = of;
  progress.value = entries;
  state.textContent = `Checking… ${entries.toLocaleString('en-US')} of ${of.toLocaleString('en-US')} entries`;
}

function show(verdict: Omit<Verdict, 'kind'> & { readonly kind: Verdict['kind'] | 'working' }): void {
  const { kind, title } = verdict;
  progress.hidden = true;
  if (kind === 'working') delete state.dataset['kind'];
  else state.dataset['kind'] = kind;
  state.textContent = title;
  what.textContent = verdict.what;
  facts.replaceChildren(...verdict.facts.flatMap(([name, value]) => [textIn('dt', name), textIn('dd', value)]));
}

function textIn(tag: 'dt' | 'dd', text: string): HTMLElement {
  const element = document.createElement(tag);
  element.textContent = text;
  return element;
}

function part<Part extends HTMLElement>(id: string, kind: new () => Part): Part {
  const found = document.getElementById(id);
  if (found instanceof kind) return found;
  throw new Error(`the page has no ${id}`);
}
