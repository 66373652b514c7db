import assert from 'node:assert/strict';

/** One metric of an exposition with its samples. */
export interface Family {
  readonly type: string;
  readonly help: string;
  readonly samples: readonly Sample[];
}

/** One line with a value. */
export interface Sample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

const SAMPLE = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (-?[0-9.]+(?:e[+-]?[0-9]+)?|\+Inf|-Inf|NaN)$/;
const LABEL = /^([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"(?:,|$)/;
const SUFFIXES: Readonly<Record<string, readonly string[]>> = { counter: [''], gauge: [''], histogram: ['_bucket', '_sum', '_count'] };

/**
 * Reads version 0.0.4 of the text format, and refuses whatever is not exactly that: a help and a type before the samples of each metric,
 * nothing twice, names that fit their type, and histograms whose buckets never fall and end with the count.
 */
export function parseExposition(text: string): ReadonlyMap<string, Family> {
  assert.ok(text.endsWith('\n'), 'the text ends with a line feed');
  const families = new Map<string, { type: string; help: string; samples: Sample[] }>();
  let current: string | null = null;
  for (const line of text.split('\n').filter((one) => one !== '')) {
    const help = /^# HELP (\S+) (.+)$/.exec(line);
    if (help !== null) {
      current = help[1] as string;
      assert.ok(!families.has(current), `${current} is there twice`);
      families.set(current, { type: '', help: help[2] as string, samples: [] });
      continue;
    }
    const family = families.get(current ?? '');
    assert.ok(family !== undefined && current !== null, `${line} stands before its help`);
    const type = /^# TYPE (\S+) (counter|gauge|histogram)$/.exec(line);
    if (type !== null) {
      assert.equal(type[1], current);
      family.type = type[2] as string;
      continue;
    }
    family.samples.push(sampleOf(line, current, family.type));
  }
  for (const [name, family] of families) checkFamily(name, family);
  return families;
}

function sampleOf(line: string, metric: string, type: string): Sample {
  const match = SAMPLE.exec(line);
  assert.ok(match !== null, `${line} is no sample`);
  const [, name = '', text = '', value = ''] = match;
  assert.ok(
    SUFFIXES[type]?.some((suffix) => name === metric + suffix),
    `${name} does not belong to the ${type} ${metric}`,
  );
  return { name, labels: labelsOf(text), value: value === '+Inf' ? Number.POSITIVE_INFINITY : Number(value) };
}

function labelsOf(text: string): Record<string, string> {
  const labels: Record<string, string> = {};
  let rest = text;
  while (rest !== '') {
    const match = LABEL.exec(rest);
    assert.ok(match !== null, `${rest} is no label`);
    const [all, name = '', value = ''] = match;
    assert.ok(!Object.hasOwn(labels, name), `the label ${name} is there twice`);
    labels[name] = value;
    rest = rest.slice(all.length);
  }
  return labels;
}

function checkFamily(name: string, { type, samples }: Family): void {
  assert.notEqual(type, '', `${name} has no type`);
  if (type === 'counter') assert.match(name, /_total$/, 'a counter ends with _total');
  const keys = samples.map((sample) => JSON.stringify([sample.name, sample.labels]));
  assert.equal(new Set(keys).size, keys.length, `${name} has a sample twice`);
  if (type === 'histogram') checkHistogram(name, samples);
}

function checkHistogram(name: string, samples: readonly Sample[]): void {
  const counts = new Map<string, number>();
  for (const { name: part, labels, value } of samples) if (part === `${name}_count`) counts.set(JSON.stringify(labels), value);
  for (const [key, count] of counts) {
    const buckets = samples.flatMap(({ name: part, labels: { le, ...labels }, value }) =>
      part === `${name}_bucket` && JSON.stringify(labels) === key
        ? [{ le: le === '+Inf' ? Number.POSITIVE_INFINITY : Number(le), value }]
        : [],
    );
    assert.equal(buckets.at(-1)?.le, Number.POSITIVE_INFINITY);
    assert.equal(buckets.at(-1)?.value, count, `the last bucket of ${name} is its count`);
    for (const [place, bucket] of buckets.entries()) {
      const before = buckets[place - 1];
      assert.ok(before === undefined || (before.le < bucket.le && before.value <= bucket.value), `the buckets of ${name} rise`);
    }
  }
}
