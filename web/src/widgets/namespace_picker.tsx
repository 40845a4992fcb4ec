// Which Kubernetes namespaces the page is about; none chosen = all. Offers those that occur in the chosen time.
import { useState } from 'preact/hooks';
import { askFlows } from '../data/api';
import { effectiveRange, navigate, store, useStore } from '../data/store';
import { useQuestion } from '../data/query';
import { plural, visible } from '../domain/text';
import { Icon } from './icons';
import { Menu } from './menu';

const kMost = 500;
const kSides = ['client_namespace', 'server_namespace'];

async function askNamespaces(signal: AbortSignal): Promise<string[]> {
  const range = effectiveRange(store.get());
  const lists = await Promise.all(kSides.map((name) => askFlows({ ...range, filter: '', groupBy: [name], sort: '-bytes', limit: kMost }, signal)
    .then((answer) => answer.rows.map((row) => String(row[name] ?? '')))));
  return [...new Set(lists.flat())].filter((name) => name !== '').sort();
}

function Choices({ all, chosen }: { all: string[]; chosen: string[] }) {
  const [search, setSearch] = useState('');
  const set = (namespaces: string[]) => navigate({ namespaces, selected: '' });
  const shown = [...new Set([...chosen, ...all])].filter((name) => name.toLowerCase().includes(search.toLowerCase()));
  return (
    <>
      <input class="field" type="search" placeholder="Search namespaces" aria-label="Search namespaces" value={search} onInput={(e) => setSearch(e.currentTarget.value)} />
      <button type="button" class="menu-item" role="menuitemradio" aria-checked={chosen.length === 0} onClick={() => set([])}>All namespaces, and what is in none</button>
      <div class="menu-line" />
      {shown.map((name) => (
        <div key={name} class="picker-row">
          <label>
            <input type="checkbox" checked={chosen.includes(name)} onChange={() => set(chosen.includes(name) ? chosen.filter((n) => n !== name) : [...chosen, name])} />
            <span class="ellipsis">{visible(name)}</span>
          </label>
        </div>
      ))}
      {shown.length === 0 && <p class="muted">No namespace {search === '' ? 'occurs in this range' : 'has that in its name'}.</p>}
    </>
  );
}

// Not there where no flow has a namespace: a plain host has none to choose.
export function NamespacePicker() {
  const chosen = useStore((s) => s.namespaces);
  const range = useStore((s) => JSON.stringify([s.since, s.until, s.live]));
  const asked = useQuestion(`namespaces ${range}`, askNamespaces, { refreshMs: 60_000 });
  const all = asked.data ?? [];
  if (all.length === 0 && chosen.length === 0) return null;
  const label = chosen.length === 0 ? 'All namespaces' : chosen.length === 1 ? visible(chosen[0] ?? '') : plural(chosen.length, 'namespace');
  return (
    <Menu class="namespace-button" label={<><Icon name="namespace" /><span class="ellipsis group-label">{label}</span><Icon name="down" /></>} panelClass="picker"
      title={chosen.length === 0 ? 'Only some Kubernetes namespaces' : `Only flows with an end in ${chosen.map(visible).join(', ')}`}>
      {() => <Choices all={all} chosen={chosen} />}
    </Menu>
  );
}
