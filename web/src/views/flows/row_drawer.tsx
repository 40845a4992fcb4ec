// Every field of one row, with unit, meaning and filter buttons; the raw object; and the way back to the map.
import { useState } from 'preact/hooks';
import { navigate, setFilter, store } from '../../data/store';
import type { Column, FlowRow } from '../../data/types';
import { endName, isEndColumn, showCell, title } from '../../domain/columns';
import { addCondition, condition } from '../../domain/filter_edit';
import { visible } from '../../domain/text';
import { unitName } from '../../domain/units';
import { Icon } from '../../widgets/icons';

// What an end's best name is made of.
const kNaming = ['namespace', 'workload', 'external_name', 'container', 'netns_name', 'process'];

function filterByEnd(side: string, row: FlowRow, include: boolean): void {
  const has = (name: string) => typeof row[`${side}_${name}`] === 'string' && row[`${side}_${name}`] !== '';
  const named = has('workload') ? ['namespace', 'workload'] : kNaming.slice(2).filter(has);
  const names = named.length > 0 ? named : has('node') ? ['node'] : ['address'];
  const parts = names.filter((name) => has(name)).map((name) => condition(`${side}_${name}`, '=', String(row[`${side}_${name}`])));
  if (parts.length === 0) return;
  const { filter } = store.get();
  setFilter(include ? parts.reduce(addCondition, filter) : addCondition(filter, `not (${parts.join(' and ')})`));
}

export function filterBy(column: Column, row: FlowRow, include: boolean): void {
  if (isEndColumn(column)) return filterByEnd(column.name.slice(0, 6), row, include);
  const value = row[column.name];
  if (typeof value !== 'string' && typeof value !== 'number') return;
  const exact = column.kind === 'dimension' || column.type === 'string';
  const operator = exact ? (include ? '=' : '!=') : include ? '>=' : '<';
  setFilter(addCondition(store.get().filter, condition(column.name, operator, value)));
}

const kEndParts = ['node', 'namespace', 'workload', 'pod', 'container', 'process', 'external_name'];
const kEnds = [...kEndParts.map((name) => `client_${name}`), ...kEndParts.map((name) => `server_${name}`), 'server_port'];

// The dimensions a row has of those that name both ends; addresses only for ends without an agent.
function rowFilter(row: FlowRow): string {
  const names = [...kEnds, ...['client', 'server'].filter((side) => row[`${side}_node`] === '').map((side) => `${side}_address`)];
  return names.reduce((filter, name) => {
    const value = row[name];
    return value === undefined || value === null || value === '' || typeof value === 'object' ? filter : addCondition(filter, condition(name, '=', value));
  }, '');
}

function Field({ column, row }: { column: Column; row: FlowRow }) {
  const shown = showCell(column, row[column.name]);
  const value = row[column.name];
  const text = column.kind === 'dimension' && typeof value === 'string' && value !== '' ? visible(value) : shown.text;
  const unit = column.unit === '' || column.kind === 'time' ? '' : ` (${unitName(column.unit)})`;
  const filterable = shown.text !== '–' && column.type !== 'histogram' && column.kind !== 'time';
  return (
    <div class="field-row" title={column.help}>
      <dt>{title(column.name)}<span class="faint">{unit}</span></dt>
      <dd class={shown.text === '–' ? 'faint' : ''} title={shown.title}>{text}</dd>
      {filterable && (
        <span class="buttons">
          <button type="button" class="button plain small" title="Only this" aria-label={`Only this ${title(column.name)}`} onClick={() => filterBy(column, row, true)}>+</button>
          <button type="button" class="button plain small" title="Not this" aria-label={`Not this ${title(column.name)}`} onClick={() => filterBy(column, row, false)}>−</button>
        </span>
      )}
    </div>
  );
}

export function RowDrawer({ row, columns, onClose }: { row: FlowRow; columns: Column[]; onClose: () => void }) {
  const [raw, setRaw] = useState(false);
  const name = (side: 'client' | 'server') => endName(row, side).text;
  const heading = name('client') !== '' && name('server') !== '' ? `${name('client')} → ${name('server')}` : 'Group of flows';
  const filter = rowFilter(row);
  const present = columns.filter((column) => row[column.name] !== undefined);
  const sections: [string, Column[]][] = [
    ['Who', present.filter((c) => c.kind === 'dimension' || c.kind === 'time')],
    ['How much and how well', present.filter((c) => c.kind === 'derived')],
    ['Counted', present.filter((c) => c.kind !== 'dimension' && c.kind !== 'time' && c.kind !== 'derived')],
  ];
  return (
    <aside class="drawer" aria-label="Row">
      <div class="drawer-head">
        <div class="grow"><h2>{heading}</h2></div>
        <button type="button" class="button plain icon" aria-label="Close" title="Close (Esc)" onClick={onClose}><Icon name="close" /></button>
      </div>
      <div class="drawer-body scrollable">
        <section class="actions">
          {filter !== '' && <button type="button" class="button" onClick={() => navigate({ view: 'map', filter, selected: '', onlyProblems: false, live: false })}>Show on map</button>}
          {filter !== '' && <button type="button" class="button" onClick={() => setFilter(filter)}>Only this flow</button>}
          <button type="button" class="button plain" aria-pressed={raw} onClick={() => setRaw(!raw)}>Raw JSON</button>
        </section>
        {raw ? <pre class="raw">{JSON.stringify(row, null, 2).split('\n').map(visible).join('\n')}</pre>
          : sections.map(([heading2, list]) => list.length > 0 && (
            <section key={heading2}><h3>{heading2}</h3><dl>{list.map((column) => <Field key={column.name} column={column} row={row} />)}</dl></section>
          ))}
      </div>
    </aside>
  );
}
