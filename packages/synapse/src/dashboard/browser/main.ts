import type { About } from '../about.js';
import { api } from './api.js';
import { Connection, type Contact } from './connection.js';
import { h, s, say, set, show } from './dom.js';
import { timeOfDay } from './format.js';
import { helpDialog } from './help.js';
import { addressOf, parsePlace, type Place, type View } from './place.js';
import { ThemeButton } from './theme.js';
import type { Page, ViewPart } from './view.js';
import { AgentView } from './views/agent.js';
import { LiveView } from './views/live.js';
import { ServiceView } from './views/service.js';
import { ServicesView } from './views/services.js';
import { TopologyView } from './views/topology.js';

const tabs: readonly (readonly [View, string])[] = [
  ['services', 'Services'],
  ['topology', 'Topology'],
  ['live', 'Live'],
  ['agent', 'Agent'],
];

/** The page: its head, the view below it, and the keys. */
class Dashboard {
  readonly #connection = new Connection((contact) => this.#contacted(contact));
  readonly #theme = new ThemeButton();
  readonly #help = helpDialog();
  readonly #main = byId('main');
  readonly #said = byId('said');
  readonly #host = h('span', { class: 'host' });
  readonly #contact = h('span', { class: 'contact', role: 'status', 'data-kind': 'connecting' });
  readonly #lost = h('div', { class: 'lost', role: 'alert', hidden: true });
  readonly #renew = h('div', { class: 'lost renew', role: 'status', hidden: true });
  readonly #notReady = h('span', { class: 'dot', role: 'img', 'aria-label': 'not in step', hidden: true });
  readonly #tabs: ReadonlyMap<View, HTMLElement>;
  #about: About | undefined;
  #place = parsePlace(location.hash);
  #view: ViewPart | undefined;
  #viewRun = new AbortController();

  constructor() {
    this.#tabs = new Map(tabs.map(([view, text]) => [view, h('a', { href: addressOf({ view }) }, text)]));
    this.#tabs.get('agent')?.append(this.#notReady);
    const keys = h(
      'button',
      {
        type: 'button',
        class: 'icon',
        'aria-label': 'Keys',
        title: 'Keys (?)',
        click: () => this.#help.showModal(),
      },
      '?',
    );
    byId('top').append(
      h(
        'a',
        { href: addressOf({}), class: 'brand', 'aria-label': 'SmartStack: services' },
        mark(),
        h('b', {}, 'SmartStack'),
      ),
      this.#host,
      h('nav', { 'aria-label': 'Views' }, ...this.#tabs.values()),
      this.#contact,
      this.#theme.element,
      keys,
    );
    this.#main.before(this.#lost, this.#renew);
    document.body.append(this.#help);
  }

  run(): void {
    window.addEventListener('hashchange', () => this.#arrive());
    document.addEventListener('keydown', (event) => this.#key(event));
    const forever = new AbortController().signal;
    const feeds = [
      this.#connection.feed(
        api.about,
        5_000,
        (about) => this.#know(about),
        forever,
        () => undefined,
      ),
      this.#connection.feed(
        api.ready,
        5_000,
        ({ ok }) => show(this.#notReady, !ok),
        forever,
        () => undefined,
      ),
    ];
    Promise.all(feeds).catch(reportError);
    this.#arrive();
  }

  #know(about: About): void {
    const { host, version, startedAt, page } = about;
    if (this.#about && this.#about.startedAt !== startedAt) {
      this.#tell(`The agent was started again at ${timeOfDay(startedAt)}`);
    }
    if (this.#about && this.#about.page !== page) {
      const reload = h(
        'button',
        { type: 'button', class: 'button', click: () => location.reload() },
        'Load it',
      );
      this.#renew.replaceChildren('The agent was upgraded and has another version of this page. ', reload);
      show(this.#renew, true);
      return;
    }
    this.#about = about;
    say(this.#host, host);
    set(this.#host, 'title', `synapse ${version}, since ${timeOfDay(startedAt)}`);
    this.#name();
  }

  #name(): void {
    const parts = [this.#view?.title, this.#about?.host, 'SmartStack'];
    document.title = parts.filter((part) => part !== undefined).join(' · ');
  }

  #contacted(contact: Contact): void {
    set(this.#contact, 'data-kind', contact.kind);
    say(this.#contact, contact.kind);
    const isLost = contact.kind === 'lost';
    say(
      this.#lost,
      isLost
        ? `Not connected since ${timeOfDay(contact.since)}. What you see is from then; it goes on when the agent answers.`
        : '',
    );
    show(this.#lost, isLost);
    set(document.body, 'data-contact', contact.kind);
  }

  #go(to: Partial<Place>, quietly = false): void {
    const address = addressOf(to);
    if (quietly) {
      history.replaceState(null, '', address);
      this.#arrive();
    } else location.hash = address;
  }

  #arrive(): void {
    const before = this.#place;
    const place = parsePlace(location.hash);
    this.#place = place;
    if (
      this.#view !== undefined &&
      before.view === place.view &&
      (before.service === place.service || place.view === 'live')
    ) {
      this.#view.moved(place);
      return;
    }
    this.#viewRun.abort();
    this.#viewRun = new AbortController();
    const view = this.#make(place);
    this.#view = view;
    this.#main.replaceChildren(view.element);
    for (const [name, tab] of this.#tabs) {
      const here = name === place.view || (name === 'services' && place.view === 'service');
      set(tab, 'aria-current', here ? 'page' : undefined);
    }
    window.scrollTo(0, 0);
    this.#name();
    view.run(this.#viewRun.signal);
  }

  #make(place: Place): ViewPart {
    const page: Page = {
      connection: this.#connection,
      startedAt: () => this.#about?.startedAt ?? 0,
      go: (to, quietly) => this.#go(to, quietly),
    };
    switch (place.view) {
      case 'services':
        return new ServicesView(page, place);
      case 'service':
        return new ServiceView(page, place);
      case 'topology':
        return new TopologyView(page, place, () => this.#about?.host ?? 'this host');
      case 'live':
        return new LiveView(page, place);
      case 'agent':
        return new AgentView(page, () => this.#about?.version ?? '');
    }
  }

  #tell(text: string): void {
    say(this.#said, text);
  }

  #key(event: KeyboardEvent): void {
    if (event.ctrlKey || event.metaKey || event.altKey || this.#help.open) return;
    const { target } = event;
    const isTyping = target instanceof HTMLInputElement || target instanceof HTMLSelectElement;
    if (isTyping && !['Escape', 'Enter', 'ArrowDown'].includes(event.key)) return;
    if (this.#view?.key(event.key) || this.#general(event.key)) event.preventDefault();
  }

  #general(key: string): boolean {
    const tab = tabs[Number(key) - 1];
    if (tab) this.#go({ view: tab[0] });
    else if (key === '?') this.#help.showModal();
    else if (key === 't') this.#theme.next();
    else if (key === '/') this.#go({ view: 'services' });
    else if (key === 'Escape' && this.#place.view !== 'services') this.#go({ view: 'services' });
    else return false;
    return true;
  }
}

function byId(id: string): HTMLElement {
  const found = document.getElementById(id);
  if (found === null) throw new Error(`the page has no #${id}`);
  return found;
}

function mark(): SVGSVGElement {
  const path = s('path', { d: 'M9 21l7-4 7 4-7 4zM9 15.5l7-4 7 4M9 10l7-4 7 4' });
  return s(
    'svg',
    { viewBox: '0 0 32 32', width: 24, height: 24, 'aria-hidden': 'true', class: 'mark' },
    s('rect', { width: 32, height: 32, rx: 8 }),
    path,
  );
}

new Dashboard().run();
