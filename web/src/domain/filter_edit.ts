// Editing a filter text: adding and removing conditions, and completion at the caret.
import type { Column, EitherField, MapNode } from '../data/types';
import { conjuncts, isKeyword, kOperators, tokenize, type Token } from './filter_syntax';

// Bare words the language takes without quotes; a keyword must be quoted or it would be read as one.
const kBare = /^[A-Za-z0-9_][A-Za-z0-9_.:/@-]*$/;
const kReserved = /^(and|or|not|in)$/i;

export function quote(value: string | number): string {
  const text = String(value);
  if (kBare.test(text) && !kReserved.test(text)) return text;
  if (text.includes('"') && !text.includes("'") && !text.includes('\\')) return `'${text}'`;
  return `"${text.replace(/["\\]/g, '\\$&')}"`;
}

export function condition(field: string, operator: string, value: string | number): string {
  return `${field} ${operator} ${quote(value)}`;
}

export function either(conditions: readonly string[]): string {
  return conditions.length === 1 ? (conditions[0] ?? '') : `(${conditions.join(' or ')})`;
}

// Appends with "and"; an outermost "or" is parenthesised first, so that it keeps its meaning.
export function addCondition(filter: string, added: string): string {
  const parts = conjuncts(filter);
  if (filter.trim() === '') return added;
  if (parts?.some((part) => part.text === added)) return filter;
  const hasOuterOr = parts?.length === 1 && parts[0]?.field === undefined && !wrapped(filter);
  return hasOuterOr ? `(${filter.trim()}) and ${added}` : `${filter.trim()} and ${added}`;
}

function wrapped(filter: string): boolean {
  const { tokens } = tokenize(filter);
  let depth = 0;
  return tokens.every((token, i) => {
    if (token.kind === 'open') depth += 1;
    if (token.kind === 'close') depth -= 1;
    return depth > 0 || i === tokens.length - 1 || isKeyword(token, 'not');
  });
}

export function removeConjunct(filter: string, index: number): string {
  return (conjuncts(filter) ?? []).filter((_, i) => i !== index).map((part) => part.text).join(' and ');
}

const kOpposite: Readonly<Record<string, string>> = {
  '=': '!=', '!=': '=', '<': '>=', '>=': '<', '>': '<=', '<=': '>', '~': '!~', '!~': '~', in: 'not in', 'not in': 'in',
};

export function invertConjunct(filter: string, index: number): string {
  const parts = conjuncts(filter) ?? [];
  return parts.map((part, i) => {
    if (i !== index) return part.text;
    if (part.negated) return part.text.replace(/^not\s*/i, '');
    const opposite = part.operator === undefined ? undefined : kOpposite[part.operator];
    if (part.field === undefined || opposite === undefined) return `not ${part.text}`;
    const tokens = tokenize(part.text).tokens;
    const value = tokens[part.operator === 'not in' ? 3 : 2];
    return value === undefined ? part.text : `${part.field} ${opposite} ${part.text.slice(value.start)}`;
  }).join(' and ');
}

// The condition that selects one end of an edge, by the server where it says one: it knows what the node is made of.
export function endConditions(node: MapNode, side: 'client' | 'server'): string[] {
  const given = node.filters[side];
  if (given !== '') return (conjuncts(given) ?? [{ text: given }]).map((part) => part.text);
  if (node.kind === 'internet') return ['locality = internet'];
  const parts: string[] = [];
  if (node.node !== '' && !node.external) parts.push(condition(`${side}_node`, '=', node.node));
  if (node.container !== '') parts.push(condition(`${side}_container`, '=', node.container));
  else if (node.netns_name !== '') parts.push(condition(`${side}_netns_name`, '=', node.netns_name));
  else if (node.netns !== 0) parts.push(condition(`${side}_netns`, '=', node.netns));
  else if (node.unit !== '') parts.push(condition(`${side}_unit`, '=', node.unit));
  if (node.kind === 'process' && node.name !== '') parts.push(condition(`${side}_process`, '=', node.name));
  if (parts.length > 0) return parts;
  const addresses = node.addresses.slice(0, 50);  // an edge of a larger set is folded by the server anyway
  if (addresses.length === 0) return [condition(`${side}_process`, '=', node.name)];
  if (addresses.length === 1) return [condition(`${side}_address`, '=', addresses[0] ?? '')];
  return [`${side}_address in (${addresses.map(quote).join(', ')})`];
}

export function edgeFilter(filter: string, client: MapNode, server: MapNode): string {
  const parts = new Set([...endConditions(client, 'client'), ...endConditions(server, 'server')]);
  return [...parts].reduce(addCondition, filter);
}

// Flows in which the node takes part on either side.
export function nodeFilter(filter: string, node: MapNode): string {
  const [client, server] = [endConditions(node, 'client'), endConditions(node, 'server')]
    .map((parts) => (parts.length === 1 ? (parts[0] ?? '') : `(${parts.join(' and ')})`));
  return addCondition(filter, client === server ? (client ?? '') : `(${client} or ${server})`);
}

export interface Suggestion {
  text: string;     // inserted
  label: string;    // shown
  detail: string;   // help
  from: number;     // replaced range
  to: number;
}

export interface CompletionContext {
  expects: 'field' | 'operator' | 'value' | 'joiner';
  prefix: string;
  from: number;
  to: number;
  field?: string;
}

// What belongs at the caret. Inside a list the field is the one before "in".
export function contextAt(text: string, caret: number): CompletionContext {
  const { tokens, error } = tokenize(text.slice(0, caret));
  // An open quote is a value being typed; its text is no token yet.
  const openQuote = error && /quote/.test(error.message) ? error.position - 1 : -1;
  const last = tokens[tokens.length - 1];
  const touching = openQuote < 0 && last !== undefined && last.end === caret
    && (last.kind === 'word' || last.kind === 'quoted') ? last : undefined;
  const before = touching ? tokens.slice(0, -1) : tokens;
  const from = openQuote >= 0 ? openQuote : (touching?.start ?? caret);
  const prefix = openQuote >= 0 ? text.slice(openQuote + 1, caret) : (touching?.value ?? '');
  return { ...expected(before), prefix, from, to: caret };
}

function expected(before: readonly Token[]): { expects: CompletionContext['expects']; field?: string } {
  const last = before[before.length - 1];
  const previous = before[before.length - 2];
  if (last === undefined || isKeyword(last, 'and') || isKeyword(last, 'or')) return { expects: 'field' };
  if (last.kind === 'operator') return { expects: 'value', ...(previous ? { field: previous.text } : {}) };
  if (last.kind === 'open' || last.kind === 'comma') return listField(before);
  if (isKeyword(last, 'not')) {
    return previous?.kind === 'word' && !/^(and|or|not)$/i.test(previous.text) ? { expects: 'operator' } : { expects: 'field' };
  }
  if (isKeyword(last, 'in')) {
    const field = before[before.length - (isKeyword(previous, 'not') ? 3 : 2)];
    return { expects: 'value', ...(field ? { field: field.text } : {}) };
  }
  const valueBefore = previous !== undefined
    && (previous.kind === 'operator' || isKeyword(previous, 'in') || previous.kind === 'comma' || last.kind === 'close' || last.kind === 'quoted');
  return valueBefore || last.kind === 'close' ? { expects: 'joiner' } : { expects: 'operator' };
}

function listField(before: readonly Token[]): { expects: 'field' | 'value'; field?: string } {
  for (let i = before.length - 1; i >= 0; i -= 1) {
    const token = before[i];
    if (token?.kind === 'close') break;
    if (token?.kind !== 'open') continue;
    if (!isKeyword(before[i - 1], 'in')) return { expects: 'field' };
    const field = before[isKeyword(before[i - 2], 'not') ? i - 3 : i - 2];
    return { expects: 'value', ...(field ? { field: field.text } : {}) };
  }
  return { expects: 'field' };
}

function operatorsFor(column: Column | undefined): readonly string[] {
  if (column === undefined) return kOperators;
  if (column.type === 'string') return ['=', '!=', '~', '!~', 'in', 'not in'];
  if (column.type === 'address') return ['=', '!=', 'in', 'not in'];
  return ['=', '!=', '>', '>=', '<', '<=', 'in', 'not in'];
}

const kOperatorHelp: Readonly<Record<string, string>> = {
  '=': 'is', '!=': 'is not', '<': 'less than', '<=': 'at most', '>': 'more than', '>=': 'at least',
  '~': 'matches (RE2)', '!~': 'does not match', in: 'one of a list, or inside a CIDR', 'not in': 'none of a list, or outside a CIDR',
};

function rank(label: string, prefix: string): number {
  const at = label.toLowerCase().indexOf(prefix.toLowerCase());
  return at < 0 ? -1 : at === 0 ? 0 : 1;
}

export function suggest(
  text: string, caret: number, columns: readonly Column[], eithers: readonly EitherField[], values: readonly string[],
): Suggestion[] {
  const context = contextAt(text, caret);
  const at = { from: context.from, to: context.to };
  let candidates: { label: string; text: string; detail: string }[];
  if (context.expects === 'field') {
    candidates = [
      ...eithers.map((e) => ({ label: e.name, text: `${e.name} `, detail: `either end: ${e.columns.join(' or ')}` })),
      ...columns.filter((c) => c.filterable !== false && c.type !== 'histogram')
        .map((c) => ({ label: c.name, text: `${c.name} `, detail: c.help })),
    ];
  } else if (context.expects === 'operator') {
    const field = tokenize(text.slice(0, context.from)).tokens.slice(-1)[0]?.text;
    candidates = operatorsFor(columns.find((c) => c.name === field))
      .map((o) => ({ label: o, text: `${o} `, detail: kOperatorHelp[o] ?? '' }));
  } else if (context.expects === 'value') {
    candidates = values.map((v) => ({ label: v, text: `${quote(v)} `, detail: '' }));
  } else {
    candidates = ['and', 'or'].map((w) => ({ label: w, text: `${w} `, detail: w === 'and' ? 'both must hold' : 'one is enough' }));
  }
  return candidates
    .map((c) => ({ c, order: rank(c.label, context.prefix) }))
    .filter(({ order }) => order >= 0)
    .sort((a, b) => a.order - b.order)
    .slice(0, 60)
    .map(({ c }) => ({ ...c, ...at }));
}
