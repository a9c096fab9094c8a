import { h } from './dom.js';

const keys = [
  ['j k ↓ ↑', 'next or previous row'],
  ['Enter', 'open it'],
  ['Esc', 'back, or clear the filter'],
  ['/', 'filter'],
  ['1 2 3 4', 'services, topology, live requests, agent'],
  ['p', 'live: pause, or go on'],
  ['t', 'light, dark or as the system'],
  ['?', 'this help'],
] as const;

/** What the keys do. */
export function helpDialog(): HTMLDialogElement {
  const dialog = h('dialog', { 'aria-label': 'Keys' });
  const rows = keys.map(([key, meaning]) =>
    h('div', {}, h('dt', {}, ...key.split(' ').map((each) => h('kbd', {}, each))), h('dd', {}, meaning)),
  );
  const words = [
    'Success is the share of responses other than 5xx. Latencies are from when HAProxy has a request until it has the headers of its response, as a histogram: the true value is in the same bucket.',
    'For TCP services, requests are connections.',
  ].map((text) => h('p', { class: 'muted' }, text));
  const close = h('button', { type: 'button', class: 'button', click: () => dialog.close() }, 'Close');
  dialog.append(h('h2', {}, 'Keys'), h('dl', { class: 'keys' }, ...rows), ...words, close);
  dialog.addEventListener('click', ({ target }) => {
    if (target === dialog) dialog.close();
  });
  return dialog;
}
