// The one store: what the reader chose (mirrored in the URL), and what the whole page knows (columns, status,
// facts of the last answer). Views read through useStore and write through the actions below.
import { useEffect, useState } from 'preact/hooks';
import type { TimeRange } from '../domain/time';
import type { ApiError } from './api';
import { readSaved, save } from './preferences';
import type { AnswerFacts, ColumnsAnswer, StatusAnswer } from './types';
import { formatHash, kBackwardViews, kDefaults, parseHash, type UrlState, type View } from './url_state';

export type Theme = 'system' | 'light' | 'dark';

export interface State extends UrlState {
  columnsAnswer: ColumnsAnswer | undefined;
  status: StatusAnswer | undefined;
  statusError: ApiError | undefined;
  facts: AnswerFacts | undefined;      // of the view that is shown
  reload: number;                      // grows when the reader asks for fresh data
  theme: Theme;
  helpOpen: boolean;
}

type Listener = (state: State) => void;

export class Store {
  private state: State;
  private readonly listeners = new Set<Listener>();

  constructor(initial: State) {
    this.state = initial;
  }

  get(): State {
    return this.state;
  }

  set(change: Partial<State>): void {
    const next = { ...this.state, ...change };
    const same = (Object.keys(change) as (keyof State)[]).every((key) => Object.is(this.state[key], next[key]));
    if (same) return;
    this.state = next;
    for (const listener of this.listeners) listener(next);
  }

  subscribe(listener: Listener): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }
}

function savedColumns(): string[] {
  return (readSaved('columns') ?? '').split(',').filter((name) => name !== '');
}

// A link with columns shows them; one without shows this browser's own choice.
function readHash(hash: string): UrlState {
  const url = parseHash(hash);
  return url.columns.length > 0 || url.preset !== '' ? url : { ...url, columns: savedColumns() };
}

function initialState(hash: string): State {
  const url = readHash(hash);
  const theme = readSaved('theme');
  return {
    ...url,
    columnsAnswer: undefined, status: undefined, statusError: undefined, facts: undefined, reload: 0,
    theme: theme === 'light' || theme === 'dark' ? theme : 'system', helpOpen: false,
  };
}

export const store = new Store(initialState(typeof location === 'undefined' ? '' : location.hash));

export function useStore<T>(select: (state: State) => T): T {
  const [value, setValue] = useState(() => select(store.get()));
  useEffect(() => {
    const read = (state: State) => setValue(() => select(state));
    read(store.get());  // it may have changed between render and effect
    return store.subscribe(read);
    // `select` is written inline and pure: the first one stays valid.
  }, []);
  return value;
}

// A step the reader may want to undo with the Back button is pushed; small adjustments replace.
export function navigate(change: Partial<UrlState>, how: 'push' | 'replace' = 'push'): void {
  store.set(change);
  const hash = formatHash(store.get());
  if (hash === location.hash) return;
  if (how === 'push') history.pushState(null, '', hash);
  else history.replaceState(null, '', hash);
}

export function followBackButton(): void {
  const read = () => store.set(readHash(location.hash));
  addEventListener('popstate', read);
  addEventListener('hashchange', read);
}

export function showView(view: View): void {
  const { view: old, since, until } = store.get();
  if (old === view) return;
  // Findings are few and worth a longer look back than flows; a range that was chosen stays.
  const range = until !== 'now' ? {} : kBackwardViews.has(view) && since === kDefaults.since ? { since: kDayBack }
    : kBackwardViews.has(old) && since === kDayBack ? { since: kDefaults.since } : {};
  store.set({ facts: undefined });
  navigate({ view, selected: '', ...range });
}

const kDayBack = '1d';

export function setPreset(preset: string): void {
  navigate({ preset, columns: preset === '' ? savedColumns() : [], groupBy: [], sort: kDefaults.sort, widths: {} });
}

export function setRange(range: TimeRange): void {
  navigate({ ...range, live: false });
}

export function setFilter(filter: string): void {
  if (filter !== store.get().filter) navigate({ filter });
}

// What is chosen for a preset lasts as long as the link; the overview's columns are the reader's own.
export function setColumns(columns: string[]): void {
  if (store.get().preset === '') save('columns', columns.join(','));
  navigate({ columns }, 'replace');
}

export function setTheme(theme: Theme): void {
  save('theme', theme === 'system' ? '' : theme);
  store.set({ theme });
  applyTheme(theme);
}

export function applyTheme(theme: Theme): void {
  if (theme === 'system') delete document.documentElement.dataset['theme'];
  else document.documentElement.dataset['theme'] = theme;
}

export function reload(): void {
  store.set({ reload: store.get().reload + 1 });
}

// Live shows the last minute, whatever range waits behind it.
export const kLiveRange: TimeRange = { since: '1m', until: 'now' };

export function effectiveRange(state: Pick<UrlState, 'since' | 'until' | 'live'>): TimeRange {
  return state.live ? kLiveRange : { since: state.since, until: state.until };
}

export function effectiveRefreshMs(state: Pick<UrlState, 'until' | 'live' | 'refreshMs'>): number {
  if (state.live) return 1000;
  return state.until === 'now' ? state.refreshMs : 0;
}

export function resetAll(): void {
  navigate({ ...kDefaults, view: store.get().view });
}
