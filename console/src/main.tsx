import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { Page } from './page/page.tsx';
import { readPageFacts } from './session/page-facts.ts';

const place = document.querySelector('#page');
if (place === null) throw new Error('the page has no place to be shown');
createRoot(place).render(
  <StrictMode>
    <Page facts={readPageFacts(document)} />
  </StrictMode>,
);
