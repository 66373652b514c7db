import type { LogKey } from '../contracts/heads.ts';
import type { Index } from '../contracts/units.ts';
import type { Tile } from '../tlog/tile.ts';

/** What a log says of itself beside its tiles. */
export interface LogFacts {
  readonly origin: string;
  /** The oldest entry that it still has. */
  readonly beginning: Index;
  /** Every key that signed for it, the oldest first. */
  readonly keys: readonly LogKey[];
  /** Whom to trust for how much, in the form of C2SP tlog-policy. */
  readonly policy: string;
  /** Older heads that it kept: whole notes, the oldest first. */
  readonly checkpoints: readonly string[];
}

/** A log that is exported. Only what it has published is asked for. */
export interface ExportSource {
  facts(): Promise<LogFacts>;
  /** The newest published checkpoint, whole. */
  checkpoint(): Promise<Uint8Array>;
  /** A tile or an entry bundle of the published tree. */
  tile(tile: Tile): Promise<Uint8Array>;
}
