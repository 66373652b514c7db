import { TAMPERINGS } from './tamper-table.ts';

/** What cannot be carried out against a copy: what is found of it, by whom, and what is not. */
const LIMITS: readonly { readonly attack: string; readonly found: string; readonly not: string }[] = [
  {
    attack: 'the private key is stolen',
    found: 'what the thief signs instead of what was signed before: a head that was kept elsewhere contradicts it, a witness refuses it',
    not: 'what the thief adds at the end until the key is replaced: it is signed like the rest. Later the old key is `KEY_REPLACED`',
  },
  {
    attack: 'everything that no head outside this machine covers is rewritten or cut off, by who has the key and the disk',
    found: 'nothing of it',
    not: 'all of it: so checkpoints go to every destination within seconds, and a required witness is asked before a head is published',
  },
  {
    attack: 'no head is shown any more, or only an old one',
    found: 'by who looks at the time of the freshness cosignature: it is renewed every 60 s, also when nothing happens',
    not: 'by who only looks whether signatures are right: an old head is a right one',
  },
  {
    attack: 'the clock of the machine is set',
    found: 'a step becomes the control entry `clock`; `received_at` never decreases; witnesses and an RFC 3161 stamp bracket the true time',
    not: 'a clock that was wrong from the start, where no witness and no stamp says otherwise',
  },
  {
    attack: 'an event never reaches the ledger',
    found: 'a hole in the numbers of its producer (`producer.seq`) becomes the control entry `producer.gap`',
    not: 'an event that was never made or never numbered: no log can see it',
  },
  {
    attack: 'a made-up event is sent',
    found: 'by its token or client certificate: an entry names the source that it came through',
    not: 'from who has the credentials of the producer',
  },
  {
    attack: 'a destination changes or drops what it had acknowledged',
    found: 'by comparing what it holds with a head, and by itself where the destination says how far it is (`DESTINATION_LOST_DATA`)',
    not: 'by this ledger alone, while nobody reads the destination back',
  },
  {
    attack: 'the heads of all witnesses and destinations are in the hands of who runs the log',
    found: 'nothing',
    not: 'all of it: keep heads with somebody who does not work for them',
  },
  {
    attack: 'the verifier leaves something out',
    found: 'it exits with 0 only when everything was read: a missing file, extra bytes, an unknown key, an unsealed tail are findings',
    not: 'a verifier that was exchanged itself: take another program (`test/go`), or another machine',
  },
];

/** The attack table of the page about guarantees. */
export function attackTable(): string {
  const rows = TAMPERINGS.map(
    ({ attack, by, foundBy, evidence, code }) => `| ${attack} | ${by} | ${foundBy} | ${evidence} | \`${code}\` |`,
  );
  const limits = LIMITS.map(({ attack, found, not }) => `| ${attack} | ${found} | ${not} |`);
  return [
    '| attack | by | found by | evidence | finding |',
    '|---|---|---|---|---|',
    ...rows,
    '',
    'And what no check of a copy can settle:',
    '',
    '| attack | what is found | what is not |',
    '|---|---|---|',
    ...limits,
    '',
  ].join('\n');
}
