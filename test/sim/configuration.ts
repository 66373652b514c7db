import { native } from '../../src/codecs/native.ts';
import type { Codec } from '../../src/contracts/codec.ts';
import type { ControlChoice } from '../../src/delivery/records.ts';
import type { DestinationPlan } from './scenario.ts';

/** What the operator's file says about one destination. */
export interface DestinationSettings {
  readonly name: string;
  /** Whether it is in the file at all. */
  readonly present: boolean;
  readonly control: ControlChoice;
  readonly format: 'native' | 'padded';
  readonly inFlight: number;
  readonly timeoutMs: number;
  /** Where it writes: another number is another place, in words only. */
  readonly target: number;
  /** The word that lets it go on there. */
  readonly word: 'continue' | null;
  /** Grows with every change, so that no two configurations are the same. */
  readonly version: number;
}

/** Another format: the native one with a blank behind every record, so that the same entries are other bytes. */
const padded: Codec = {
  type: 'padded',
  contentType: native.contentType,
  encode(batch, pick) {
    const { bytes, offsets, count } = native.encode(batch, pick);
    const wide = new Uint8Array(bytes.length + count);
    const wideOffsets = offsets.map((offset, k) => offset + k);
    for (let k = 0; k < count; k++) {
      const end = offsets[k + 1] as number;
      wide.set(bytes.subarray(offsets[k], end - 1), wideOffsets[k]);
      wide.set([0x20, 0x0a], (wideOffsets[k + 1] as number) - 2);
    }
    return { bytes: wide, offsets: wideOffsets, count };
  },
};

/** The formats that there are. */
export const FORMATS: Readonly<Record<DestinationSettings['format'], Codec>> = { native, padded };

/** The operator's file: it outlives every process, and remembers what it has ever said. */
export class Configuration {
  readonly #settings = new Map<string, DestinationSettings>();
  readonly #words = new Map<string, number>();
  readonly #choices = new Map<string, Set<ControlChoice>>();

  constructor(plans: readonly DestinationPlan[]) {
    for (const { name, control, inFlight, timeoutMs } of plans) {
      this.set({ name, control, inFlight, timeoutMs, present: true, format: 'native', target: 0, word: null, version: 0 });
    }
  }

  /** What the file says about a destination now. */
  of(name: string): DestinationSettings {
    const settings = this.#settings.get(name);
    if (settings === undefined) throw new Error(`there is no destination ${name}`);
    return settings;
  }

  /** Notes what somebody wrote, also when it is put back: each word may act once. */
  wrote(before: DestinationSettings, { name, word }: DestinationSettings): void {
    if (word !== null && before.word === null) this.#words.set(name, this.wordsOf(name) + 1);
  }

  /** How often somebody put the word for another place into the file. */
  wordsOf(name: string): number {
    return this.#words.get(name) ?? 0;
  }

  /** Saves the file with other settings of one destination. */
  set(settings: DestinationSettings): void {
    this.#settings.set(settings.name, settings);
    this.#choices.set(settings.name, (this.#choices.get(settings.name) ?? new Set()).add(settings.control));
  }

  /** Puts back whatever was taken out. */
  restoreAll(): void {
    for (const settings of this.#settings.values())
      if (!settings.present) this.set({ ...settings, present: true, version: settings.version + 1 });
  }

  /** Every choice of control entries that the file has ever had for a destination. */
  choicesOf(name: string): readonly ControlChoice[] {
    return [...(this.#choices.get(name) ?? [])];
  }
}
