// The filter of the whole page: chips for the parts of the outermost "and", and a text field with completion for the
// rest. Both are views of one text; Enter applies it. Mistakes are shown where they are.
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from 'preact/hooks';
import { askFlows } from '../data/api';
import { effectiveRange, setFilter, store, useStore } from '../data/store';
import { kSchemaColumns } from '../domain/columns';
import { addCondition, contextAt, invertConjunct, removeConjunct, suggest, type Suggestion } from '../domain/filter_edit';
import { checkFilter, conjuncts, type Conjunct, type FilterError } from '../domain/filter_syntax';
import { visible } from '../domain/text';
import { Icon } from './icons';
import { NamespacePicker } from './namespace_picker';

export const kFilterInputId = 'filter-input';

// What stands before an operator's caret also counts columns that this server has not told about yet.
function useFields() {
  const answer = useStore((s) => s.columnsAnswer);
  return useMemo(() => {
    const columns = answer?.columns ?? kSchemaColumns;
    const eithers = answer?.either_fields ?? [];
    return { columns, eithers, names: answer ? [...columns.map((c) => c.name), ...eithers.map((e) => e.name)] : [] };
  }, [answer]);
}

// Values that occur in the chosen time, most bytes first.
function useValues(field: string | undefined): string[] {
  const [values, setValues] = useState<string[]>([]);
  const { eithers, columns } = useFields();
  useEffect(() => {
    setValues([]);
    if (field === undefined) return undefined;
    const names = eithers.find((e) => e.name === field)?.columns ?? [field];
    const groupable = names.filter((name) => columns.some((c) => c.name === name && c.kind === 'dimension'));
    if (groupable.length === 0) return undefined;
    const abort = new AbortController();
    const range = effectiveRange(store.get());
    Promise.all(groupable.map((name) => askFlows({ ...range, filter: '', groupBy: [name], sort: '-bytes', limit: 60 }, abort.signal)
      .then((answer) => answer.rows.map((row) => String(row[name] ?? '')))))
      .then((lists) => { if (!abort.signal.aborted) setValues([...new Set(lists.flat())].filter((v) => v !== '')); })
      .catch(() => undefined);  // completion is a convenience: without it, one types
    return () => abort.abort();
  }, [field, eithers, columns]);
  return values;
}

function Chip({ part, onEdit, onRemove, onInvert }: { part: Conjunct; onEdit: () => void; onRemove: () => void; onInvert: () => void }) {
  const excluding = part.negated || /^!|^not/.test(part.operator ?? '');
  return (
    <span class={`chip ${excluding ? 'excluding' : ''}`}>
      <button type="button" class="chip-text" title={`${visible(part.text)}\nClick to edit; Alt-click to invert`} onClick={(e) => (e.altKey ? onInvert() : onEdit())}>
        {visible(part.text)}
      </button>
      <button type="button" class="chip-remove" aria-label={`Remove ${visible(part.text)}`} title="Remove" onClick={onRemove}><Icon name="close" /></button>
    </span>
  );
}

function ErrorBelow({ text, error }: { text: string; error: FilterError }) {
  const at = error.position - 1;
  return (
    <div class="filter-error" role="alert">
      <span>At character {error.position}: {error.message}</span>
      <span class="pointer ellipsis">{visible(text.slice(0, at))}<mark>{visible(text.slice(at, at + 12)) || '␣'}</mark>{visible(text.slice(at + 12))}</span>
    </div>
  );
}

function Completion({ items, active, onPick }: { items: Suggestion[]; active: number; onPick: (item: Suggestion) => void }) {
  const list = useRef<HTMLUListElement>(null);
  useEffect(() => list.current?.children[active]?.scrollIntoView({ block: 'nearest' }), [active]);
  return (
    <ul class="completion scrollable" role="listbox" id="filter-completion" ref={list}>
      {items.map((item, i) => (
        <li key={item.label} role="option" aria-selected={i === active} onPointerDown={(e) => { e.preventDefault(); onPick(item); }}>
          <span class="label">{visible(item.label)}</span><span class="detail">{item.detail}</span>
        </li>
      ))}
    </ul>
  );
}

interface Editor {
  draft: string;
  caret: number;
  open: boolean;
  active: number;
}

function useEditor(base: string, onApply: (text: string) => void) {
  const { columns, eithers, names } = useFields();
  const [editor, setEditor] = useState<Editor>({ draft: '', caret: 0, open: false, active: -1 });
  const input = useRef<HTMLInputElement>(null);
  // Before the next key, not in the next frame: a caret moved late would tear what is typed meanwhile apart.
  const caretAfterPick = useRef<number>();
  useLayoutEffect(() => {
    const caret = caretAfterPick.current;
    if (caret !== undefined) input.current?.setSelectionRange(caret, caret);
    caretAfterPick.current = undefined;
  }, [editor]);
  const context = contextAt(editor.draft, editor.caret);
  const values = useValues(editor.open && context.expects === 'value' ? context.field : undefined);
  const items = editor.open ? suggest(editor.draft, editor.caret, columns, eithers, values) : [];
  const pick = (item: Suggestion) => {
    const draft = editor.draft.slice(0, item.from) + item.text + editor.draft.slice(item.to).replace(/^ /, '');
    const caret = item.from + item.text.length;
    caretAfterPick.current = caret;
    setEditor({ draft, caret, open: true, active: -1 });
  };
  const error = editor.draft.trim() === '' ? undefined : checkFilter(editor.draft, names);
  const apply = () => {
    // An unfinished text goes to the server as well: its message is the better one.
    onApply(editor.draft.trim() === '' ? base : addCondition(base, editor.draft.trim()));
    setEditor({ draft: '', caret: 0, open: false, active: -1 });
  };
  return { editor, setEditor, input, items, pick, error, apply };
}

function keyHandler(e: KeyboardEvent, hook: ReturnType<typeof useEditor>, dropLast: () => void): void {
  const { editor, setEditor, items, pick, apply, input } = hook;
  const step = e.key === 'ArrowDown' ? 1 : e.key === 'ArrowUp' ? -1 : 0;
  if (step !== 0 && items.length > 0) {
    e.preventDefault();
    setEditor({ ...editor, active: (editor.active + step + items.length) % items.length });
  } else if (e.key === 'Enter') {
    e.preventDefault();
    const item = items[editor.active];
    if (item) pick(item);
    else apply();
  } else if (e.key === 'Tab' && !e.shiftKey && items.length > 0 && editor.draft !== '') {
    e.preventDefault();
    pick(items[Math.max(0, editor.active)] as Suggestion);
  } else if (e.key === 'Escape') {
    e.stopPropagation();
    if (editor.open && items.length > 0) setEditor({ ...editor, open: false, active: -1 });
    else input.current?.blur();
  } else if (e.key === 'Backspace' && editor.draft === '') {
    dropLast();
  }
}

export function FilterBar() {
  const filter = useStore((s) => s.filter);
  const { names } = useFields();
  const parts = useMemo(() => conjuncts(filter), [filter]);
  // A text that does not parse cannot be chips; it is edited as text.
  const base = parts ? filter : '';
  const hook = useEditor(base, setFilter);
  const { editor, setEditor, input, items, pick, error } = hook;
  const filterError = useMemo(() => (filter === '' ? undefined : checkFilter(filter, names)), [filter, names]);

  useEffect(() => {
    if (!parts) setEditor({ draft: filter, caret: filter.length, open: false, active: -1 });
  }, [filter, parts]);

  const edit = (index: number) => {
    const text = parts?.[index]?.text ?? '';
    setFilter(removeConjunct(filter, index));
    setEditor({ draft: text, caret: text.length, open: false, active: -1 });
    requestAnimationFrame(() => input.current?.focus());
  };
  const read = (open: boolean) => (e: { currentTarget: HTMLInputElement }) => setEditor({
    draft: e.currentTarget.value, caret: e.currentTarget.selectionStart ?? e.currentTarget.value.length, open, active: -1,
  });
  const shownError = editor.open ? undefined : (error ?? filterError);
  return (
    <div class="filterbar" role="search">
      <NamespacePicker />
      <div class="filter-box">
        <div class={`filter-edit ${shownError ? 'wrong' : ''}`} onClick={(e) => { if (e.target === e.currentTarget) input.current?.focus(); }}>
          <span class="lens"><Icon name="search" /></span>
          {parts?.map((part, i) => (
            <Chip key={part.text} part={part} onEdit={() => edit(i)} onRemove={() => setFilter(removeConjunct(filter, i))} onInvert={() => setFilter(invertConjunct(filter, i))} />
          ))}
          <input id={kFilterInputId} ref={input} class="filter-input" value={editor.draft} spellcheck={false} autocomplete="off" maxLength={4096}
            aria-label="Filter" role="combobox" aria-expanded={items.length > 0} aria-controls="filter-completion"
            placeholder={filter === '' ? 'Filter, e.g. process = nginx and connections_failed > 0' : 'and …'}
            onInput={read(true)} onFocus={read(true)} onClick={read(true)}
            onBlur={() => setEditor((old) => ({ ...old, open: false, active: -1 }))}
            onKeyDown={(e) => keyHandler(e, hook, () => { if (parts && parts.length > 0) edit(parts.length - 1); })} />
        </div>
        {items.length > 0 && <Completion items={items} active={editor.active} onPick={pick} />}
        {shownError && <ErrorBelow text={error ? editor.draft : filter} error={shownError} />}
      </div>
      {filter !== '' && <button type="button" class="button plain" onClick={() => { setFilter(''); setEditor({ draft: '', caret: 0, open: false, active: -1 }); }}>Clear</button>}
    </div>
  );
}
