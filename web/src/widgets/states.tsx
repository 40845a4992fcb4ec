// The designed states every view shares: empty (why, and the click that helps) and error (what, where, remedy, retry).
import type { ApiError } from '../data/api';
import { navigate, reload, setFilter, setPreset, setRange, store, useStore } from '../data/store';
import { newestData, whyEmpty, type EmptyReason } from '../domain/empty_reason';
import { absoluteRange } from '../domain/time';
import { Icon } from './icons';

const kHour = 3_600_000;

function runRemedy(action: NonNullable<EmptyReason['remedy']>['action'], oldest: string | null | undefined): void {
  switch (action) {
    case 'status': navigate({ view: 'status' }); break;
    case 'clear_filter': setFilter(''); break;
    case 'all_namespaces': navigate({ namespaces: [] }); break;
    case 'overview': setPreset(''); break;
    case 'show_all': navigate({ onlyProblems: false }); break;
    case 'widen': setRange({ since: '1d', until: 'now' }); break;
    case 'newest': {
      const newest = newestData(store.get().status) ?? Date.now();
      setRange(absoluteRange(newest - kHour, newest + 1000));
      break;
    }
    case 'oldest': {
      const start = oldest ? Date.parse(oldest) : Date.now() - kHour;
      setRange(absoluteRange(start, start + kHour));
      break;
    }
  }
}

export function EmptyState({ oldest, onlyProblems, preset = '' }: { oldest: string | null | undefined; onlyProblems: boolean; preset?: string }) {
  const status = useStore((s) => s.status);
  const filter = useStore((s) => s.filter);
  const since = useStore((s) => s.since);
  const until = useStore((s) => s.until);
  const namespaces = useStore((s) => s.namespaces);
  const reason = whyEmpty({ status, filter, preset, namespaces, onlyProblems, range: { since, until }, oldest, nowMs: Date.now() });
  const { remedy } = reason;
  return (
    <div class="state" data-state="empty" data-reason={reason.kind}>
      <span class={`state-mark ${reason.kind === 'no_problems' ? 'ok' : ''}`}><Icon name={reason.kind === 'no_problems' ? 'check' : 'empty'} /></span>
      <h2>{reason.title}</h2>
      <p>{reason.text}</p>
      {remedy && (
        <div class="actions">
          <button type="button" class="button primary" onClick={() => runRemedy(remedy.action, oldest)}>{remedy.label}</button>
        </div>
      )}
    </div>
  );
}

// The server repeats the place in its message; people want it once.
export function errorText(error: ApiError): string {
  return error.message.charAt(0).toUpperCase() + error.message.slice(1);
}

// "did you mean server_port?" is one click when the place of the mistake is known.
function suggestion(error: ApiError, filter: string): { word: string; filter: string } | undefined {
  const word = /did you mean (\w+)\?/.exec(error.remedy)?.[1];
  if (word === undefined || error.parameter !== 'filter' || error.position === undefined) return undefined;
  const at = error.position - 1;
  return { word, filter: filter.slice(0, at) + filter.slice(at).replace(/^\w+/, word) };
}

export function ErrorState({ error }: { error: ApiError }) {
  const better = suggestion(error, useStore((s) => s.filter));
  return (
    <div class="state" data-state="error" role="alert">
      <span class="state-mark bad"><Icon name="warning" /></span>
      <h2>{error.parameter === 'filter' ? 'The filter has a mistake' : error.code === 'unreachable' ? 'The server does not answer' : 'This question failed'}</h2>
      <p>{errorText(error)}</p>
      {error.remedy !== '' && <p><b>What helps:</b> {error.remedy}</p>}
      <div class="actions">
        {error.parameter === 'filter' && <button type="button" class="button" onClick={() => setFilter('')}>Clear the filter</button>}
        {(error.parameter === 'since' || error.parameter === 'until') && (
          <button type="button" class="button" onClick={() => setRange({ since: '15m', until: 'now' })}>Last 15 min</button>
        )}
        {better
          ? <button type="button" class="button primary" onClick={() => setFilter(better.filter)}>Use {better.word}</button>
          : <button type="button" class="button primary" onClick={reload}>Try again</button>}
      </div>
    </div>
  );
}

// A refresh failed while older data is still on screen.
export function ErrorLine({ error }: { error: ApiError }) {
  return (
    <div class="error-line" role="alert" data-state="error-line">
      <Icon name="warning" />
      <span class="grow">{errorText(error)}. What you see is the last good answer. {error.remedy}</span>
      <button type="button" class="button small" onClick={reload}>Try again</button>
    </div>
  );
}
