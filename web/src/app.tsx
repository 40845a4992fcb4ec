// The shell around the views: top bar, filter bar, footer, keyboard; asks for columns and status on its own.
import { useEffect } from 'preact/hooks';
import { askColumns, askStatus } from './data/api';
import { useQuestion } from './data/query';
import { navigate, reload, setTheme, showView, store, useStore, type Theme } from './data/store';
import { formatHash, type View } from './data/url_state';
import { ago, formatTime } from './domain/time';
import { formatCount, formatMicroseconds } from './domain/units';
import { FilterBar, kFilterInputId } from './widgets/filter_bar';
import { HelpDialog } from './widgets/help_dialog';
import { Icon, type IconName } from './widgets/icons';
import { TimePicker } from './widgets/time_picker';
import { FlowsView } from './views/flows/flows_view';
import { stepOut } from './views/map/map_bar';
import { MapView } from './views/map/map_view';
import { HealthView } from './views/health/health_view';
import { InferenceView } from './views/inference/inference_view';
import { NodesView } from './views/nodes/nodes_view';
import { kCounterSearchId } from './views/status/counters';
import { StatusView } from './views/status/status_view';

const kTabs: readonly { view: View; label: string }[] = [
  { view: 'map', label: 'Map' }, { view: 'flows', label: 'Flows' }, { view: 'health', label: 'Health' }, { view: 'inference', label: 'Inference' },
  { view: 'nodes', label: 'Nodes' }, { view: 'status', label: 'Status' },
];

function Wordmark() {
  return (
    <a class="wordmark" href="#/map" aria-label="weir: map of the last 15 minutes">
      <svg viewBox="0 0 24 24" aria-hidden="true">
        <rect class="tile" width="24" height="24" rx="5" />
        <path class="water" d="M3.5 8.5c2.2 0 2.2 1.8 4.3 1.8S10 8.5 12 8.5s2.1 1.8 4.2 1.8S18.4 8.5 20.5 8.5M5 13.2h14M7 17h10" />
      </svg>
      weir
    </a>
  );
}

const kThemes: Readonly<Record<Theme, { next: Theme; icon: IconName; label: string }>> = {
  system: { next: 'light', icon: 'system', label: 'Theme: as the system' },
  light: { next: 'dark', icon: 'sun', label: 'Theme: light' },
  dark: { next: 'system', icon: 'moon', label: 'Theme: dark' },
};

function TopBar() {
  const view = useStore((s) => s.view);
  const theme = kThemes[useStore((s) => s.theme)];
  const problems = useStore((s) => s.status?.problems.length ?? 0);
  const state = store.get();
  return (
    <header class="topbar">
      <Wordmark />
      <nav class="tabs" aria-label="Views">
        {kTabs.map((tab) => (
          <a key={tab.view} class="tab" href={formatHash({ ...state, view: tab.view })} {...(view === tab.view ? { 'aria-current': 'page' as const } : {})}
            onClick={(e) => { if (e.metaKey || e.ctrlKey || e.shiftKey) return; e.preventDefault(); showView(tab.view); }}>
            {tab.label}
            {tab.view === 'status' && problems > 0 && <span class="dot" title={`${problems} problems of Weir itself`} />}
          </a>
        ))}
      </nav>
      <div class="topbar-end">
        <TimePicker onlyRefresh={view === 'status'} withLive={view === 'map' || view === 'flows'} />
        <button type="button" class="button plain icon" title={`${theme.label}. Click to change.`} aria-label={theme.label} onClick={() => setTheme(theme.next)}><Icon name={theme.icon} /></button>
        <button type="button" class="button plain icon" title="Keyboard (?)" aria-label="Keyboard" onClick={() => store.set({ helpOpen: true })}><Icon name="help" /></button>
      </div>
    </header>
  );
}

function Footer() {
  const facts = useStore((s) => s.facts);
  const status = useStore((s) => s.status);
  const view = useStore((s) => s.view);
  const oldest = facts?.oldest ? Date.parse(facts.oldest) : NaN;
  return (
    <footer class="footer">
      {facts && view !== 'status' && (
        <>
          <span class="fact">Resolution <b>{facts.resolution}</b></span>
          <span class="fact" title={Number.isNaN(oldest) ? '' : formatTime(oldest)}>Oldest data <b>{Number.isNaN(oldest) ? '–' : ago(oldest, Date.now())}</b></span>
          <span class="fact">Query <b>{formatMicroseconds(facts.elapsed_ms * 1000)}</b></span>
          {facts.rows_read !== undefined && <span class="fact">Rows read <b>{formatCount(facts.rows_read)}</b></span>}
          <span class="fact">Until <b>{formatTime(Date.parse(facts.range.until))}</b></span>
        </>
      )}
      <span class="end">{status ? `weir ${status.version}` : ''}</span>
    </footer>
  );
}

// The page's own questions: columns once (again until they arrive), status on a slow rhythm; both feed the store.
function Background() {
  const view = useStore((s) => s.view);
  const known = useStore((s) => s.columnsAnswer !== undefined);
  const columns = useQuestion('columns', askColumns, { refreshMs: known ? 0 : 10_000 });
  const status = useQuestion('status', askStatus, { refreshMs: view === 'status' ? 5000 : 20_000 });
  useEffect(() => { if (columns.data) store.set({ columnsAnswer: columns.data }); }, [columns.data]);
  useEffect(() => {
    store.set({ statusError: status.error, ...(status.data ? { status: status.data } : {}) });
  }, [status.data, status.error]);
  return null;
}

const kGoTo: Readonly<Record<string, View>> = { m: 'map', f: 'flows', h: 'health', i: 'inference', n: 'nodes', s: 'status' };

// Single keys act only when no text is being typed.
function useKeyboard(): void {
  useEffect(() => {
    let prefixUntilMs = 0;
    const act: Record<string, () => void> = {
      '/': () => document.getElementById(store.get().view === 'status' ? kCounterSearchId : kFilterInputId)?.focus(),
      '?': () => store.set({ helpOpen: true }),
      r: reload,
      l: () => navigate({ live: !store.get().live }),
      u: () => { if (store.get().view === 'map') stepOut(store.get().filter); },
      p: () => { if (store.get().view === 'map') navigate({ onlyProblems: !store.get().onlyProblems }); },
    };
    const onKey = (event: KeyboardEvent) => {
      const element = event.target as HTMLElement;
      if (event.key === 'Escape') {
        if (store.get().helpOpen) store.set({ helpOpen: false });
        else if (store.get().selected !== '' && !element.matches('input, select, textarea')) navigate({ selected: '' }, 'replace');
        return;
      }
      if (event.ctrlKey || event.metaKey || event.altKey || element.matches('input, select, textarea')) return;
      // By when keys were pressed: a busy page may look at both much later.
      const view = event.timeStamp < prefixUntilMs ? kGoTo[event.key] : undefined;
      prefixUntilMs = event.key === 'g' ? event.timeStamp + 1500 : 0;
      const action = view ? () => showView(view) : act[event.key];
      if (!action) return;
      event.preventDefault();
      action();
    };
    document.addEventListener('keydown', onKey);
    return () => document.removeEventListener('keydown', onKey);
  }, []);
}

export function App() {
  const view = useStore((s) => s.view);
  const helpOpen = useStore((s) => s.helpOpen);
  useKeyboard();
  return (
    <div class="shell">
      <Background />
      <TopBar />
      {view === 'map' || view === 'flows' ? <FilterBar /> : <span />}
      <main class="main">
        {view === 'map' && <MapView />}
        {view === 'flows' && <FlowsView />}
        {view === 'health' && <HealthView />}
        {view === 'inference' && <InferenceView />}
        {view === 'nodes' && <NodesView />}
        {view === 'status' && <StatusView />}
      </main>
      <Footer />
      {helpOpen && <HelpDialog onClose={() => store.set({ helpOpen: false })} />}
    </div>
  );
}
