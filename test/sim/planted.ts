/** A bug that is put into the product on purpose, to see that the simulation finds it. */
export interface PlantedBug {
  readonly name: string;
  /** The file below `src`. */
  readonly file: string;
  /** Text of that file; it must be there exactly once, or the plant is stale. */
  readonly find: string;
  readonly replace: string;
  /** What the simulation must say: a bug that is caught for another reason is not caught. */
  readonly says: RegExp;
  /** A seed that is known to catch it, so that the search begins there. */
  readonly seed: number;
}

/** Every planted bug. The product has no switch for any of them: the text is changed while it is loaded. */
export const PLANTED_BUGS: readonly PlantedBug[] = [
  {
    name: 'no fsync',
    file: 'ledger/embedded/stream.ts',
    find: 'await group.segment.file.commit(this.#staged(group), group.at);',
    replace: 'await group.segment.file.write(this.#staged(group), group.at);',
    says: /were durable|is not in the ledger|was promised|is damaged|was settled/,
    seed: 1,
  },
  {
    name: 'cursor before acknowledgement',
    file: 'delivery/sender.ts',
    find: 'const receipt = await attempt((signal) => sink.write(sent, signal), timeoutOf(options), clock, closing);',
    replace:
      'const answer = attempt((signal) => sink.write(sent, signal), timeoutOf(options), clock, closing); ' +
      'const receipt = await Promise.race([answer, Promise.resolve({})]);',
    says: /keeps \d+\.\.\d+ before|has everything to|comes next/,
    seed: 1,
  },
  {
    name: 'settle before durable',
    file: 'intake/pull.ts',
    find: "  accepted(await durable);\n  await batch.settle('accepted');",
    replace: "  durable.then(accepted, () => undefined);\n  await batch.settle('accepted');",
    says: /although everything to \d+ was settled|never arrived/,
    seed: 2,
  },
  {
    name: 'torn tail kept',
    file: 'ledger/embedded/recovery.ts',
    find: 'if (lastByte > at) {',
    replace: 'if (lastByte < at) {',
    says: /is damaged|were durable|is not in the ledger/,
    seed: 75,
  },
  {
    name: 'batch re-cut after a crash',
    file: 'delivery/step.ts',
    find: "if (rules.dedupe === 'position') withdrawIntents(work);",
    replace: 'withdrawIntents(work);',
    says: /was cut anew|after it had all to/,
    seed: 1,
  },
  {
    name: 'batch k + 1 sent after k failed',
    file: 'delivery/plan.ts',
    find: "if (batch.phase !== 'waiting') continue;",
    replace: "if (batch.phase !== 'waiting' || batch.tries > 0) continue;",
    says: /keeps \d+\.\.\d+ before/,
    seed: 1,
  },
  {
    name: 'a duplicate answered before its original is durable',
    file: 'intake/sequencer-stored.ts',
    find: [
      '      const sorted = wanted.toSorted((a, b) => a.index - b.index);',
      '      const last = sorted.at(-1);',
      '      if (last !== undefined && last.index >= ledger.size()) await ledger.waitBeyond(asSize(last.index), signal);',
    ].join('\n'),
    replace: [
      "      for (const { at, index } of wanted) if (index >= ledger.size()) note(at, index, 'same');",
      '      const sorted = wanted.filter(({ index }) => index < ledger.size()).toSorted((a, b) => a.index - b.index);',
    ].join('\n'),
    says: /was promised/,
    seed: 19,
  },
  {
    name: "one partition's position overwritten by another's",
    file: 'ledger/embedded/state.ts',
    find: 'positions.set(partition, meta.position);',
    replace: 'for (const key of [partition, ...positions.keys()]) positions.set(key, meta.position);',
    says: /never arrived|was settled|not everything arrived|is in the ledger 2 times/,
    seed: 2,
  },
  {
    name: 'seq taken as identity',
    file: 'intake/producers.ts',
    find: 'seq >= followed.floor && seq <= followed.mark && findRange(followed.ranges, seq) === -1',
    replace: 'seq <= followed.mark',
    says: /refused the good event/,
    seed: 2,
  },
  {
    name: 'gap entries that breed',
    file: 'delivery/quarantine.ts',
    find: 'const told = final.filter((aside) => !aside.control);',
    replace: 'const told = final;',
    says: /the gap entry/,
    seed: 32,
  },
  {
    name: '`next()` below the cursor accepted',
    file: 'delivery/compare.ts',
    find: [
      '  if (next < cursor) {',
      '    set(work, { lacksFrom: next });',
      '    return halt(work, behind(work.state, next, cursor));',
      '  }',
      '  set(work, { known: true, lacksFrom: null });',
      '  if (next === cursor) return forgetDoubt(work, lane);',
    ].join('\n'),
    replace: ['  set(work, { known: true, lacksFrom: null });', '  if (next <= cursor) return forgetDoubt(work, lane);'].join('\n'),
    says: /not everything arrived/,
    seed: 31,
  },
  {
    name: 'recovered tail delivered before its sync',
    file: 'ledger/embedded/recovery.ts',
    find: 'await file.commit((await readWindow(file, lastGroup.at, whole.at - lastGroup.at)).bytes, lastGroup.at);',
    replace: '',
    says: /were durable|is damaged|was rewritten|was promised/,
    seed: 6,
  },
  {
    name: "a zombie's append accepted",
    file: 'ledger/embedded/ledger.ts',
    find: 'if (expected !== first) {',
    replace: 'if (expected > first) {',
    says: /append of a zombie was accepted/,
    seed: 5,
  },
  {
    name: 'two processes with one ledger',
    file: 'ledger/embedded/embedded.ts',
    find: 'const lock = await disk.lock(`${path}/lock`);',
    replace: 'const lock = { release: () => Promise.resolve() };',
    says: /have the ledger open at once/,
    seed: 2,
  },
  {
    name: 'an entry left out before the journal knows it',
    file: 'delivery/plan.ts',
    find: 'if (batch.needs > state.durable) return false;',
    replace: 'if (batch.needs < 0) return false;',
    says: /set out before what it needs was durable|is set aside and not declared/,
    seed: 1,
  },
  {
    name: 'a batch in doubt cut anew when the format changes',
    file: 'delivery/step.ts',
    find: '  if (last?.format !== format || last.control !== control || last.name !== name) {\n',
    replace: '  if (last?.format !== format || last.control !== control || last.name !== name) {\n    withdrawIntents(work);\n',
    says: /was cut anew|after it had all to/,
    seed: 2,
  },
  {
    name: 'a replay under live identities',
    file: 'delivery/sent-batch.ts',
    find: "const replay = side === null || side.kind === 'recover' ? null : side.name;",
    replace: "const replay = side === null || side.kind !== 'redeliver' ? null : side.name;",
    says: /is sent again although it is known to be taken|is sent again after it was taken|after it had all to|was cut anew/,
    seed: 3,
  },
  {
    name: 'a recovery that cuts anew',
    file: 'delivery/cutting.ts',
    find: "original: side?.kind === 'recover' && rules.dedupe !== 'position',",
    replace: 'original: false,',
    says: /and in another cut|was cut anew/,
    seed: 17,
  },
  {
    name: 'a destination detached without a gap entry',
    file: 'delivery/apply-detached.ts',
    find: "return declare(account, 'destination.detached', { from, through, count: through - from + 1 - kept });",
    replace: 'return kept === 0 ? account : account;',
    says: /nobody declared that|is set aside and not declared|has everything to/,
    seed: 3,
  },
  {
    name: 'a change of target acting twice',
    file: 'delivery/detaching.ts',
    find: 'if (changed === null || changed === known.used) return',
    replace: 'if (changed === null) return',
    says: /went to another place \d+ times by \d+ words/,
    seed: 6,
  },
  {
    name: 'age counted although the clock stepped',
    file: 'pipeline/retention.ts',
    find: 'const age = doubt === null ? byAge : 0;',
    replace: 'const age = byAge;',
    says: /although the clock stepped/,
    seed: 48,
  },
  {
    name: 'retention that does not ask the destinations',
    file: 'pipeline/retention.ts',
    find: 'return [known, ...destinationHolders(ledger.journal, configured, ledger.beginning())];',
    replace: 'return destinationHolders(ledger.journal, configured, ledger.beginning()).length < 0 ? [] : [known];',
    says: /never arrived|not everything arrived|has everything to|comes next|nobody declared that|and the journal does not/,
    seed: 8,
  },
  {
    name: 'segments removed before their removal is durable',
    file: 'ledger/embedded/pruning.ts',
    find: 'if (known !== beginning) await register.set(BEGINNING_KEY, beginning, known);',
    replace: 'if (known === beginning) return;',
    says: /is missing|is damaged/,
    seed: 87,
  },
  {
    name: 'an edge of the tree stored before the packs that it covers are synced',
    file: 'tree/follower.ts',
    find: '    await packs.sync();\n    try {',
    replace: '    try {',
    says: /is not stored|the tile .* was another one/,
    seed: 1,
  },
  {
    name: 'a pack of an earlier process whose name is not durable',
    file: 'tree/packs.ts',
    find: '#named = true;\n  #turn',
    replace: '#named = false;\n  #turn',
    says: /is not stored/,
    seed: 99,
  },
  {
    name: 'a tree that has grown before its tiles are written',
    file: 'tree/follower.ts',
    find: 'await packs.write(full);',
    replace: 'if (full.length > 0) break;',
    says: /is not stored|the tile .* was another one/,
    seed: 1,
  },
  {
    name: 'segments removed that the tree still needs',
    file: 'pipeline/retention.ts',
    find: 'await tree.pin(asSize(through + 1));',
    replace: '',
    says: /no longer there|LEDGER_PRUNED/,
    seed: 107,
  },
];
