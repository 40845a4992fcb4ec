// The flow table: fixed row height, only the rows in sight exist, header and totals share the columns' widths.
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from 'preact/hooks';
import type { Finding } from '../../data/findings';
import { navigate, useStore } from '../../data/store';
import type { Column, FlowRow } from '../../data/types';
import { defaultWidth, endName, isEndColumn, isNumeric, placeOf, shortTitle, showCell } from '../../domain/columns';
import { aboutRowEnd } from '../../domain/findings';
import { presetOf } from '../../domain/presets';
import { visible } from '../../domain/text';
import { headerUnit, unitName } from '../../domain/units';
import { FindingCount } from '../../widgets/finding_badge';
import { Icon } from '../../widgets/icons';

export const kRowHeight = 28;
const kOverscan = 8;

export interface TableProps {
  columns: Column[];
  rows: FlowRow[];
  totals: FlowRow | undefined;
  keys: readonly string[];           // identity of each row, same order
  widths: Readonly<Record<string, number>>;
  sort: string;
  sortable: boolean;
  picked: string;
  onPick: (index: number) => void;
  onSort: (column: string) => void;
  onFilter: (column: Column, row: FlowRow, include: boolean) => void;
  onOrder: (from: string, to: string) => void;
  findings?: readonly Finding[];
}

// Widths are custom properties set through the DOM; a rule in a constructed sheet would need unsafe-inline.
function useWidths(columns: readonly Column[], widths: Readonly<Record<string, number>>) {
  const titles = presetOf(useStore((s) => s.preset))?.titles ?? {};
  const list = columns.map((column) => widths[column.name] ?? defaultWidth(column, titles[column.name]));
  const sheet = useMemo(() => new CSSStyleSheet(), []);
  useLayoutEffect(() => {
    const rules = list.map((width, i) => `.table-wrap .c${i} { width: ${width}px; }`).join('\n');
    sheet.replaceSync(rules);
    if (!document.adoptedStyleSheets.includes(sheet)) document.adoptedStyleSheets = [...document.adoptedStyleSheets, sheet];
  }, [list.join()]);
  useEffect(() => () => {
    document.adoptedStyleSheets = document.adoptedStyleSheets.filter((other) => other !== sheet);
  }, [sheet]);
  return { list, preview: (index: number, width: number) => (sheet.cssRules[index] as CSSStyleRule).style.setProperty('width', `${width}px`) };
}

function startResize(event: PointerEvent, from: number, preview: (width: number) => void, done: (width: number) => void): void {
  event.preventDefault();
  event.stopPropagation();
  const grip = event.currentTarget as HTMLElement;
  let width = from;
  const move = (e: PointerEvent) => {
    width = Math.round(Math.max(56, Math.min(900, from + e.clientX - event.clientX)));
    preview(width);
  };
  const up = () => {
    grip.removeEventListener('pointermove', move);
    done(width);
  };
  grip.setPointerCapture(event.pointerId);
  grip.addEventListener('pointermove', move);
  grip.addEventListener('pointerup', up, { once: true });
}

function HeadCell({ column, index, props, width, preview }: { column: Column; index: number; props: TableProps; width: number; preview: (width: number) => void }) {
  const [drop, setDrop] = useState(false);
  const field = props.sort.replace(/^-/, '');
  const sorted = props.sortable && (field === column.name);
  const sortable = props.sortable && !isEndColumn(column);
  const own = presetOf(useStore((s) => s.preset))?.titles[column.name];
  const name = own ?? shortTitle(column.name);
  const down = props.sort.startsWith('-');
  const unit = own === undefined ? headerUnit(column.name, column.unit) : '';
  const resized = (to: number) => navigate({ widths: { ...props.widths, [column.name]: to } }, 'replace');
  return (
    <div class={`th c${index} ${isNumeric(column) ? 'number' : ''} ${drop ? 'drop' : ''}`} role="columnheader" draggable
      {...(sorted ? { 'aria-sort': down ? 'descending' : 'ascending' } as const : {})}
      title={`${column.help}${column.unit === '' ? '' : ` Unit: ${unitName(column.unit)}.`}${sortable ? '\nClick sorts, dragging moves.' : '\nDragging moves.'}`}
      onDragStart={(e) => e.dataTransfer?.setData('text/weir-column', column.name)}
      onDragOver={(e) => { if (e.dataTransfer?.types.includes('text/weir-column')) { e.preventDefault(); setDrop(true); } }}
      onDragLeave={() => setDrop(false)}
      onDrop={(e) => { setDrop(false); props.onOrder(e.dataTransfer?.getData('text/weir-column') ?? '', column.name); }}>
      <button type="button" disabled={!sortable} onClick={() => props.onSort(column.name)}>
        <span>{name}{unit !== '' && <span class="unit"> {unit}</span>}</span>
        {sorted && <Icon name={down ? 'down' : 'up'} />}
      </button>
      <span class="grip" draggable onDragStart={(e) => { e.preventDefault(); e.stopPropagation(); }}
        onPointerDown={(e) => startResize(e, width, preview, resized)} onDblClick={() => resized(defaultWidth(column))} />
    </div>
  );
}

// An end by its best name, with the buttons that narrow to it.
function EndCell({ column, row, index, onFilter, findings = [] }: {
  column: Column; row: FlowRow; index: number; onFilter?: TableProps['onFilter']; findings?: readonly Finding[];
}) {
  const about = findings.length === 0 ? findings : aboutRowEnd(findings, row, column.name === 'client_end' ? 'client' : 'server');
  const { text, place } = endName(row, column.name === 'client_end' ? 'client' : 'server');
  return (
    <div class={`td c${index} ${text === '' ? 'unknown' : ''}`} role="cell" title={text === '' ? 'unknown: neither an agent nor a name tells of it' : `${text}${place === '' ? '' : `, ${place}`}`}>
      {about.length > 0 && <><FindingCount findings={about} />{' '}</>}{text || '–'}{place !== '' && <span class="place"> {place}</span>}
      {text !== '' && onFilter && (
        <span class="cell-filter">
          <button type="button" tabIndex={-1} title="Only this" aria-label={`Only ${text}`} onClick={(e) => { e.stopPropagation(); onFilter(column, row, true); }}>+</button>
          <button type="button" tabIndex={-1} title="Not this" aria-label={`Not ${text}`} onClick={(e) => { e.stopPropagation(); onFilter(column, row, false); }}>−</button>
        </span>
      )}
    </div>
  );
}

function Cell({ column, row, index, onFilter, findings }: {
  column: Column; row: FlowRow; index: number; onFilter?: TableProps['onFilter']; findings?: readonly Finding[] | undefined;
}) {
  if (isEndColumn(column)) return <EndCell column={column} row={row} index={index} {...(onFilter ? { onFilter } : {})} {...(findings ? { findings } : {})} />;
  const shown = showCell(column, row[column.name]);
  const place = placeOf(column, row);
  const zero = row[column.name] === 0 && column.kind !== 'dimension';
  const numeric = isNumeric(column);
  const trouble = !zero && shown.text !== '–' && /^(connections_failed|failed_|retransmit_percent|timeouts|closed_timed_out)/.test(column.name);
  const canFilter = onFilter !== undefined && column.filterable !== false && shown.text !== '–';
  return (
    <div class={`td c${index} ${numeric ? 'number' : ''} ${shown.text === '–' ? 'unknown' : ''} ${zero ? 'zero' : ''} ${trouble ? 'warn' : ''}`} role="cell" title={place === '' ? shown.title : `${shown.title} in ${place}`}>
      {shown.text}{place !== '' && <span class="place"> {place}</span>}
      {canFilter && (
        <span class="cell-filter">
          <button type="button" tabIndex={-1} title={numeric ? 'Only at least this much' : 'Only this'} aria-label={`Only ${shown.text}`} onClick={(e) => { e.stopPropagation(); onFilter(column, row, true); }}>+</button>
          <button type="button" tabIndex={-1} title={numeric ? 'Only less than this' : 'Not this'} aria-label={`Not ${shown.text}`} onClick={(e) => { e.stopPropagation(); onFilter(column, row, false); }}>−</button>
        </span>
      )}
    </div>
  );
}

function useWindow(scroller: { current: HTMLDivElement | null }, count: number) {
  const [range, setRange] = useState({ from: 0, to: 40 });
  const read = () => {
    const element = scroller.current;
    if (!element) return;
    const from = Math.max(0, Math.floor(element.scrollTop / kRowHeight) - kOverscan);
    const to = Math.min(count, Math.ceil((element.scrollTop + element.clientHeight) / kRowHeight) + kOverscan);
    setRange((old) => (old.from === from && old.to === to ? old : { from, to }));
  };
  useLayoutEffect(() => {
    read();
    if (!scroller.current) return undefined;
    const resize = new ResizeObserver(read);
    resize.observe(scroller.current);
    return () => resize.disconnect();
  }, [count]);
  return { range, read };
}

function Row({ props, index }: { props: TableProps; index: number }) {
  const row = props.rows[index];
  const place = (element: HTMLDivElement | null) => {
    if (element) element.style.top = `${30 + index * kRowHeight}px`;
  };
  if (!row) return null;
  return (
    <div class={`tr ${props.keys[index] === props.picked ? 'picked' : ''}`} role="row" aria-rowindex={index + 2} ref={place} onClick={() => props.onPick(index)}>
      {props.columns.map((column, i) => <Cell key={column.name} column={column} row={row} index={i} onFilter={props.onFilter} findings={props.findings} />)}
    </div>
  );
}

function onKey(event: KeyboardEvent, props: TableProps, scroller: HTMLDivElement | null): void {
  const step = event.key === 'ArrowDown' ? 1 : event.key === 'ArrowUp' ? -1 : 0;
  if (step === 0 || !scroller) return;
  event.preventDefault();
  const next = Math.max(0, Math.min(props.rows.length - 1, props.keys.indexOf(props.picked) + step));
  props.onPick(next);
  const top = next * kRowHeight;
  if (top < scroller.scrollTop) scroller.scrollTop = top;
  else if (top + kRowHeight > scroller.scrollTop + scroller.clientHeight - 34) scroller.scrollTop = top + kRowHeight - scroller.clientHeight + 34;
}

function Totals({ props, list, refTo }: { props: TableProps; list: number[]; refTo: { current: HTMLDivElement | null } }) {
  const { totals } = props;
  if (!totals) return null;
  const firstNumber = props.columns.findIndex((column) => totals[column.name] !== undefined && column.kind !== 'dimension');
  return (
    <div class="totals" role="row" aria-label="Totals" ref={refTo} data-widths={list.length}>
      {props.columns.map((column, i) => (totals[column.name] === undefined || column.kind === 'dimension' || column.kind === 'time'
        ? <div key={column.name} class={`td c${i}`}>{i === 0 && firstNumber !== 0 ? 'All' : ''}</div>
        : <Cell key={column.name} column={column} row={totals} index={i} />))}
    </div>
  );
}

export function FlowTable(props: TableProps) {
  const scroller = useRef<HTMLDivElement>(null);
  const totals = useRef<HTMLDivElement>(null);
  const { list, preview } = useWidths(props.columns, props.widths);
  const { range, read } = useWindow(scroller, props.rows.length);
  const spacer = useRef<HTMLDivElement>(null);
  useLayoutEffect(() => {
    if (spacer.current) spacer.current.style.height = `${props.rows.length * kRowHeight}px`;
  }, [props.rows.length]);
  const scrolled = () => {
    read();
    if (totals.current && scroller.current) totals.current.scrollLeft = scroller.current.scrollLeft;
  };
  const shown = Array.from({ length: Math.max(0, Math.min(range.to, props.rows.length) - range.from) }, (_, i) => range.from + i);
  return (
    <div class="table-wrap">
      <div class="table scrollable" role="table" aria-rowcount={props.rows.length + 1} tabIndex={0} ref={scroller} onScroll={scrolled}
        onKeyDown={(e) => onKey(e, props, scroller.current)} aria-label="Flows">
        <div class="thead" role="row">
          {props.columns.map((column, i) => (
            <HeadCell key={column.name} column={column} index={i} props={props} width={list[i] ?? 100} preview={(width) => preview(i, width)} />
          ))}
        </div>
        <div ref={spacer} />
        {shown.map((index) => <Row key={`${props.keys[index] ?? ''} ${index}`} props={props} index={index} />)}
      </div>
      <Totals props={props} list={list} refTo={totals} />
    </div>
  );
}

export function exportName(extension: string): string {
  return visible(`weir-flows-${new Date().toISOString().slice(0, 19).replace(/:/g, '')}.${extension}`);
}
