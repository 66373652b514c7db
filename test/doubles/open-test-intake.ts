import type { Intake } from '../../src/intake/sequencer.ts';
import { openIntake } from '../../src/intake/sequencer.ts';
import type { SourceRules, Submission, Submitted } from '../../src/intake/sequencer-submission.ts';
import { manualPorts } from './manual-ports.ts';
import { MemoryIdentities } from './memory-identities.ts';
import { MemoryLedger } from './memory-ledger.ts';

/** Everything that an intake under test is made of. */
export interface TestIntake {
  readonly intake: Intake;
  readonly ledger: MemoryLedger;
  readonly identities: MemoryIdentities;
  readonly ports: ReturnType<typeof manualPorts>;
  /** Submits events given as JSON texts to a source. */
  readonly send: (source: string, events: readonly string[], options?: Partial<Submission>) => Promise<Submitted>;
  /** Has the ledger write a snapshot with the state of the intake in it. */
  readonly snapshot: () => Promise<void>;
  /** Opens everything again on what a crash at this moment leaves. */
  readonly crash: () => Promise<TestIntake>;
}

/** The sources of an intake under test: one for each way of taking events. */
export const TEST_SOURCES: ReadonlyMap<string, SourceRules> = new Map<string, SourceRules>([
  ['app', { schema: 'json', idField: 'id', onInvalid: 'refuse' }],
  ['other', { schema: 'json', idField: 'id', onInvalid: 'refuse' }],
  ['plain', { schema: 'json', idField: null, onInvalid: 'refuse' }],
  ['audit', { schema: 'waybill/1', idField: null, onInvalid: 'refuse', gapAfterMs: 30_000 }],
  ['kept', { schema: 'waybill/1', idField: null, onInvalid: 'keep' }],
]);

/** Opens an intake over doubles. */
export async function openTestIntake(
  ledger = new MemoryLedger(),
  identities = new MemoryIdentities(),
  ports = manualPorts(),
): Promise<TestIntake> {
  const intake = await openIntake({ ledger, identities, ports, sources: TEST_SOURCES, refusedPath: '/refused' });
  return {
    intake,
    ledger,
    identities,
    ports,
    send(source, events, options = {}) {
      const checked = intake.check(source, Buffer.from(`${events.join('\n')}\n`), 'lines');
      return intake.submit({ source, checked, partial: false, ...options }, new AbortController().signal);
    },
    async snapshot() {
      await ledger.journal.append('intake', 'fold');
      ledger.snapshot();
    },
    async crash() {
      await intake.close();
      const reopened = ledger.crash();
      const rebuilt = new MemoryIdentities();
      rebuilt.rebuild(reopened.texts());
      const newPorts = { ...manualPorts(), clock: ports.clock, disk: ports.disk.crash() };
      return openTestIntake(reopened, rebuilt, newPorts);
    },
  };
}

/** The entries of a ledger, parsed. */
export function entriesOf(
  ledger: MemoryLedger,
): { source: string; n: number; id: string; received_at: string; event: Record<string, unknown> }[] {
  return ledger.texts().map((text) => JSON.parse(text) as ReturnType<typeof entriesOf>[number]);
}
