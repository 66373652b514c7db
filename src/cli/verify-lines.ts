import { FINDINGS, type Finding } from '../verify/findings.ts';
import type { Counted, Verification } from '../verify/verification.ts';
import { countText, printable } from './terminal.ts';

/** What a verification came to, for people: first what holds, then what does not, and what to do about it. */
export function verificationLines(result: Verification): string[] {
  const { head, keyFrom, findings, counts, lowest } = result;
  return [
    ...(result.ok ? [`verified: ${subject(result)}`] : [`NOT verified: ${subject(result)}`]),
    `  checked  ${countedText(result.counted)}`,
    ...(head === null ? [] : [`  head     ${countText(head.size)} entries, root ${head.root}`]),
    ...(head?.signedBy ?? []).map((key) => `  signed   ${printable(key)}`),
    ...(head?.cosignedBy ?? []).map(({ name, time }) => `  cosigned ${printable(name)} at ${new Date(time * 1_000).toISOString()}`),
    ...(keyFrom === null ? [] : [`  key from ${printable(keyFrom)}: compare it with what you were given`]),
    ...(lowest === null ? [] : [`  lowest   index ${lowest.index}${lowest.file === null ? '' : `, in ${printable(lowest.file)}`}`]),
    ...findings.flatMap(findingLines),
    ...Object.entries(counts).flatMap(([code, count]) => {
      const shown = findings.filter((finding) => finding.code === code).length;
      return count > shown ? ['', `${code}: ${countText(count - shown)} more`] : [];
    }),
  ];
}

/** One line of what was checked. */
export function countedText(counted: Readonly<Counted>): string {
  const { entries, bytes, hashes, heads, signatures, cosignatures, sources, files } = counted;
  const counts: readonly (readonly [number, string, string])[] = [
    [entries, 'entry', 'entries'],
    [bytes, 'byte', 'bytes'],
    [sources, 'source', 'sources'],
    [hashes, 'stored hash', 'stored hashes'],
    [heads, 'head', 'heads'],
    [signatures, 'signature', 'signatures'],
    [cosignatures, 'cosignature', 'cosignatures'],
    [files, 'file', 'files'],
  ];
  return counts.map(([count, one, many]) => `${countText(count)} ${count === 1 ? one : many}`).join(', ');
}

function subject({ what, origin, beginning, size }: Verification): string {
  if (what === 'proof') return `entry ${beginning} of ${printable(origin)}`;
  const range = beginning === 0 ? `${countText(size)} entries` : `entries ${countText(beginning)} to ${countText(size - 1)}`;
  return `${range} of ${printable(origin)}`;
}

function findingLines({ code, message }: Finding): string[] {
  const { means, action } = FINDINGS[code];
  return ['', printable(message), `  ${code}: ${means}`, `  ${action}`];
}
