import assert from 'node:assert/strict';
import { type ErrorCode, isWaybillError } from '../../src/contracts/errors.ts';
import { Dice } from './dice.ts';

/** A parser under random inputs, with an oracle that knows what may come out. */
export interface FuzzTarget {
  readonly name: string;
  /** How many of the cheapest inputs one input of this costs, which says how many a short run makes. */
  readonly cost: number;
  /** Makes one input, gives it to the parser and throws when what came out is wrong. True when the input was taken. */
  one(dice: Dice): boolean | Promise<boolean>;
}

/** What a run did. */
export interface FuzzCount {
  readonly inputs: number;
  readonly accepted: number;
}

/** Runs a target; each input has a seed of its own, which the error names. */
export async function fuzz(target: FuzzTarget, seed: number, inputs: number): Promise<FuzzCount> {
  let accepted = 0;
  for (let k = 0; k < inputs; k += 1) {
    try {
      const taken = target.one(new Dice(seed + k));
      if (typeof taken === 'boolean' ? taken : await taken) accepted += 1;
    } catch (error) {
      throw new Error(`${target.name}, --seed ${seed + k} --inputs 1: ${String(error)}`, { cause: error });
    }
  }
  return { inputs, accepted };
}

/** What a parser gives, or `null` when it refuses the input with one of these codes. Anything else is a mistake of the parser. */
export function refusedWith<Value>(codes: readonly ErrorCode[], parse: () => Value): Value | null {
  try {
    return parse();
  } catch (error) {
    if (isWaybillError(error) && codes.includes(error.code)) {
      assert.ok(error.message !== '' && error.message.length < 2_000, 'a refusal says what is wrong, and not everything that was sent');
      return null;
    }
    throw error;
  }
}

/** The same for a parser that takes its time. */
export async function refusedLater<Value>(codes: readonly ErrorCode[], parse: () => Promise<Value>): Promise<Value | null> {
  const settled = await parse().then(
    (value) => ({ value }),
    (error: unknown) => ({ error }),
  );
  return refusedWith(codes, () => {
    if ('error' in settled) throw settled.error;
    return settled.value;
  });
}
