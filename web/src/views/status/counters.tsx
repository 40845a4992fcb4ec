// Weir's own counters, the urgent ones first.
import { useState } from 'preact/hooks';
import type { Counter } from '../../data/types';
import { visible } from '../../domain/text';
import { formatBytes, formatCount } from '../../domain/units';

export const kCounterSearchId = 'counter-search';

function CounterRow({ counter: c }: { counter: Counter }) {
  const className = c.value > 0 && c.severity !== 'info' ? (c.severity === 'loss' ? 'bad' : 'warn') : '';
  return (
    <tr>
      <td class="mono">{visible(c.name)}</td>
      <td class={`number ${className}`} title={c.value.toLocaleString('en')}>{c.name.includes('_bytes') ? formatBytes(c.value) : formatCount(c.value)}</td>
      <td><span class={`badge ${className}`}>{c.severity === 'info' ? c.kind : c.severity}</span></td>
      <td class="help">{visible(c.help)}</td>
    </tr>
  );
}

export function Counters({ counters }: { counters: Counter[] }) {
  const [zeros, setZeros] = useState(false);
  const [search, setSearch] = useState('');
  const weight = { loss: 2, error: 1, info: 0 } as const;
  const urgent = (c: Counter) => (c.value > 0 ? weight[c.severity] ?? 0 : -1);
  const shown = counters
    .filter((c) => (zeros || c.value > 0) && `${c.name} ${c.help}`.toLowerCase().includes(search.toLowerCase()))
    .sort((a, b) => urgent(b) - urgent(a) || (a.name < b.name ? -1 : 1));
  return (
    <section class="status-section">
      <h2>Counters <span class="grow" />
        <input id={kCounterSearchId} class="field" type="search" placeholder="Search" aria-label="Search counters" value={search} onInput={(e) => setSearch(e.currentTarget.value)} />
        <button type="button" class="button small" aria-pressed={zeros} onClick={() => setZeros(!zeros)}>Zeros too</button>
      </h2>
      <div class="panel">
        <table class="grid-table">
          <thead><tr><th>Name</th><th class="number">Value</th><th>Kind</th><th>Meaning</th></tr></thead>
          <tbody>
            {shown.map((c) => <CounterRow key={c.name} counter={c} />)}
            {shown.length === 0 && <tr><td colSpan={4} class="muted">{search === '' ? 'All counters are zero.' : 'No counter matches.'}</td></tr>}
          </tbody>
        </table>
      </div>
    </section>
  );
}
