import { type Row } from '../report.ts';
import type { BenchOptions } from './rows.ts';
export async function runParts(_options: BenchOptions): Promise<Row[]> {
  return [];
}
