/**
 * Which runs to merge next, given their sizes: the longest set of smallest runs whose largest is not larger than the others together.
 * Where there is nothing to merge, each run is larger than all smaller ones together, so that their number grows with the logarithm
 * of the identities; and an identity is copied about as often as that. Returns places in `sizes`; empty: nothing to do.
 */
export function planMerge(sizes: readonly number[]): readonly number[] {
  const places = sizes.map((_, place) => place).sort((a, b) => sizes[a]! - sizes[b]! || a - b);
  let smaller = 0;
  let take = 0;
  for (const [rank, place] of places.entries()) {
    if (rank > 0 && sizes[place]! <= smaller) take = rank + 1;
    smaller += sizes[place]!;
  }
  return places.slice(0, take);
}
