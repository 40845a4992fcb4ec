// A small evaluator of the filter language for the mock: enough for tests, with positions in its errors.
const kEither = {
  address: ['client_address', 'server_address'], process: ['client_process', 'server_process'],
  container: ['client_container', 'server_container'], unit: ['client_unit', 'server_unit'],
  node: ['client_node', 'server_node'], port: ['server_port'],
  ...Object.fromEntries(['cluster', 'namespace', 'workload', 'pod', 'zone', 'cloud_service', 'external_name'].map((name) => [name, [`client_${name}`, `server_${name}`]])),
};

export const eitherFields = Object.entries(kEither).map(([name, columns]) => ({ name, columns }));

export class FilterFault extends Error {
  constructor(position, message, remedy) {
    super(`at character ${position}: ${message}`);
    this.position = position;
    this.remedy = remedy;
  }
}

function tokenize(text) {
  const tokens = [];
  const pattern = /\s+|"((?:[^"\\]|\\.)*)"|'((?:[^'\\]|\\.)*)'|(!=|<=|>=|!~|[=<>~(),])|([^\s()=!<>~,"']+)/gy;
  let at = 0;
  while (at < text.length) {
    pattern.lastIndex = at;
    const m = pattern.exec(text);
    if (!m) throw new FilterFault(at + 1, `unexpected '${text[at]}'`, 'close the quote or remove the character');
    const quoted = m[1] ?? m[2];
    if (quoted !== undefined) tokens.push({ kind: 'value', text: quoted.replace(/\\(.)/gs, '$1'), at });
    else if (m[3]) tokens.push({ kind: m[3], text: m[3], at });
    else if (m[4]) tokens.push({ kind: 'word', text: m[4], at });
    at = pattern.lastIndex;
  }
  return tokens;
}

const kUnits = { '': 1, k: 1e3, M: 1e6, G: 1e9, Ki: 1024, Mi: 1048576, us: 1, ms: 1e3, s: 1e6, '%': 1 };

function number(text) {
  const m = /^(-?[\d.]+)(k|M|G|Ki|Mi|us|ms|s|%)?$/.exec(text);
  return m ? Number(m[1]) * kUnits[m[2] ?? ''] : NaN;
}

function test(row, fields, op, values) {
  const negative = op === '!=' || op === '!~' || op === 'not in';
  const one = (field) => values.some((value) => {
    const own = row[field];
    if (op === '~' || op === '!~') return new RegExp(value).test(String(own));
    if (typeof own === 'number') {
      const wanted = number(value);
      if (op === '<') return own < wanted;
      if (op === '<=') return own <= wanted;
      if (op === '>') return own > wanted;
      if (op === '>=') return own >= wanted;
      return own === wanted;
    }
    if (value.includes('/')) return String(own).startsWith(value.split('/')[0].replace(/(\.0)+$/, ''));
    return String(own) === value;
  });
  const hit = fields.some(one);
  return negative ? !hit : hit;
}

export function compileFilter(text, columnNames) {
  const tokens = tokenize(text ?? '');
  let i = 0;
  const word = (w) => tokens[i]?.kind === 'word' && tokens[i].text.toLowerCase() === w;
  const here = () => (tokens[i]?.at ?? text.length) + 1;
  function value() {
    const token = tokens[i];
    if (!token || (token.kind !== 'word' && token.kind !== 'value')) throw new FilterFault(here(), 'expected a value', 'write a number, a word or a "quoted text"');
    i += 1;
    return token.text;
  }
  function comparison() {
    const token = tokens[i];
    if (!token || token.kind !== 'word') throw new FilterFault(here(), 'expected a field', 'GET /api/v1/columns lists all fields');
    const fields = kEither[token.text] ?? (columnNames.includes(token.text) ? [token.text] : null);
    if (!fields) {
      const near = columnNames.find((c) => [...c].sort().join('') === [...token.text].sort().join(''));
      throw new FilterFault(token.at + 1, `unknown field '${token.text}'`, `${near ? `did you mean ${near}? ` : ''}GET /api/v1/columns lists all fields`);
    }
    i += 1;
    let op = tokens[i]?.text ?? '';
    if (word('not')) { i += 1; op = 'not in'; }
    if (!['=', '!=', '<', '<=', '>', '>=', '~', '!~', 'in', 'not in'].includes(op)) throw new FilterFault(here(), 'expected an operator', 'one of = != < <= > >= ~ !~ in');
    i += 1;
    const values = [];
    if ((op === 'in' || op === 'not in') && tokens[i]?.kind === '(') {
      do { i += 1; values.push(value()); } while (tokens[i]?.kind === ',');
      if (tokens[i]?.kind !== ')') throw new FilterFault(here(), "expected ')'", 'close the list');
      i += 1;
    } else values.push(value());
    return (row) => test(row, fields, op, values);
  }
  function unary() {
    if (word('not')) { i += 1; const inner = unary(); return (row) => !inner(row); }
    if (tokens[i]?.kind !== '(') return comparison();
    i += 1;
    const inner = or();
    if (tokens[i]?.kind !== ')') throw new FilterFault(here(), "expected ')'", 'close the parenthesis');
    i += 1;
    return inner;
  }
  function and() {
    const parts = [unary()];
    while (word('and')) { i += 1; parts.push(unary()); }
    return (row) => parts.every((part) => part(row));
  }
  function or() {
    const parts = [and()];
    while (word('or')) { i += 1; parts.push(and()); }
    return (row) => parts.some((part) => part(row));
  }
  if (tokens.length === 0) return () => true;
  const whole = or();
  if (i < tokens.length) throw new FilterFault(here(), "expected 'and', 'or' or the end", 'remove the rest');
  return whole;
}
