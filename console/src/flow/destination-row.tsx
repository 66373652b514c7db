import type { ReactNode } from 'react';
import { countText, entriesText, rateText } from '../words/numbers.ts';
import type { DestinationView } from './destination-view.ts';
import { Rail } from './rail.tsx';
import { StateMark } from './state-mark.tsx';

interface DestinationProps {
  readonly view: DestinationView;
  readonly span: number;
  /** Buttons, for those who may use them. */
  readonly actions: ReactNode;
}

/** A destination: its state in words, where it stands, and what it waits for. */
export function DestinationRow({ view, span, actions }: DestinationProps) {
  const { name, mark, words, lag, cursor, rate, behind, head, error, repeats, setAside } = view;
  return (
    <li className={`row destination destination-${mark}`} data-testid={`destination-${name}`}>
      <div className="row-head">
        <h3>{name}</h3>
        <p className="state" data-testid={`state-${name}`}>
          <StateMark mark={mark} />
          {words}
        </p>
        <p className="rate">
          <b>{rateText(rate)}</b> <span>/s</span>
        </p>
      </div>
      <Rail lag={lag} span={span} label={name} />
      <div className="row-foot">
        <p className="place">
          <span>
            has <b>{countText(cursor)}</b>
          </span>
          <span className={lag === 0 ? 'quiet' : ''} data-testid={`lag-${name}`}>
            {behind}
          </span>
          <span className="head-batch">{head}</span>
          {repeats > 0 && <span>{countText(repeats)} batches maybe twice</span>}
          {setAside > 0 && <span>{entriesText(setAside)} set aside</span>}
        </p>
        {error !== null && mark !== 'halted' && (
          <p className="trouble-brief" title={`${error.code}: ${error.message}. ${error.action}`}>
            <b>{error.code}</b> {error.message}
          </p>
        )}
        <div className="actions">{actions}</div>
      </div>
      {error !== null && mark === 'halted' && (
        <p className="trouble">
          <b>{error.code}</b> {error.message}. <span className="trouble-action">{error.action}</span>
        </p>
      )}
    </li>
  );
}
