// The filter language as the UI needs it: tokens with positions, top-level conditions for the chips, and an early
// error while typing. The server's parser is the authority; nothing here keeps a text from being sent to it.

export type TokenKind = 'word' | 'quoted' | 'operator' | 'open' | 'close' | 'comma';

export interface Token {
  kind: TokenKind;
  text: string;   // as written, quotes included
  value: string;  // without quotes and escapes
  start: number;  // offset of the first character
  end: number;    // offset after the last
}

export interface FilterError {
  message: string;
  position: number;  // from 1, as the API counts
}

// One condition or one parenthesised / or-joined part of the outermost "and".
export interface Conjunct {
  text: string;
  start: number;
  end: number;
  field?: string;
  operator?: string;
  value?: string;
  negated: boolean;
}

export const kOperators: readonly string[] = ['=', '!=', '<', '<=', '>', '>=', '~', '!~', 'in', 'not in'];
const kKeywords = new Set(['and', 'or', 'not', 'in']);

export function isKeyword(token: Token | undefined, word: string): boolean {
  return token?.kind === 'word' && token.text.toLowerCase() === word;
}

function readQuoted(text: string, start: number): Token | FilterError {
  const quote = text[start];
  let value = '';
  for (let i = start + 1; i < text.length; i += 1) {
    const c = text[i] ?? '';
    if (c === quote) return { kind: 'quoted', text: text.slice(start, i + 1), value, start, end: i + 1 };
    if (c === '\\' && i + 1 < text.length) {
      i += 1;
      value += text[i];
    } else {
      value += c;
    }
  }
  return { message: `the ${quote === '"' ? 'double' : 'single'} quote is never closed`, position: start + 1 };
}

const kPunctuation: Readonly<Record<string, TokenKind>> = { '(': 'open', ')': 'close', ',': 'comma' };

export function tokenize(text: string): { tokens: Token[]; error?: FilterError } {
  const tokens: Token[] = [];
  let i = 0;
  while (i < text.length) {
    const c = text[i] ?? '';
    if (/\s/.test(c)) {
      i += 1;
      continue;
    }
    let token: Token | FilterError;
    const operator = /^(?:!=|<=|>=|!~|=|<|>|~)/.exec(text.slice(i, i + 2))?.[0];
    const punctuation = kPunctuation[c];
    if (c === '"' || c === "'") {
      token = readQuoted(text, i);
    } else if (punctuation !== undefined) {
      token = { kind: punctuation, text: c, value: c, start: i, end: i + 1 };
    } else if (operator !== undefined) {
      token = { kind: 'operator', text: operator, value: operator, start: i, end: i + operator.length };
    } else {
      const word = /^[^\s()=!<>~,"']+/.exec(text.slice(i))?.[0];
      if (word === undefined) return { tokens, error: { message: `unexpected '${c}'`, position: i + 1 } };
      token = { kind: 'word', text: word, value: word, start: i, end: i + word.length };
    }
    if ('message' in token) return { tokens, error: token };
    tokens.push(token);
    i = token.end;
  }
  return { tokens };
}

class Checker {
  private at = 0;
  constructor(
    private readonly tokens: readonly Token[],
    private readonly fields: ReadonlySet<string>,
    private readonly length: number,
  ) {}

  check(): FilterError | undefined {
    if (this.tokens.length === 0) return undefined;
    const error = this.expression(0);
    if (error) return error;
    return this.at < this.tokens.length ? this.fail("expected 'and', 'or' or the end") : undefined;
  }

  private peek(offset = 0): Token | undefined {
    return this.tokens[this.at + offset];
  }

  private fail(message: string): FilterError {
    return { message, position: (this.peek()?.start ?? this.length) + 1 };
  }

  private expression(depth: number): FilterError | undefined {
    if (depth > 32) return this.fail('nested deeper than 32 levels');
    for (;;) {
      const error = this.unary(depth);
      if (error) return error;
      if (!isKeyword(this.peek(), 'and') && !isKeyword(this.peek(), 'or')) return undefined;
      this.at += 1;
    }
  }

  private unary(depth: number): FilterError | undefined {
    while (isKeyword(this.peek(), 'not')) this.at += 1;
    if (this.peek()?.kind !== 'open') return this.comparison();
    this.at += 1;
    const error = this.expression(depth + 1);
    if (error) return error;
    if (this.peek()?.kind !== 'close') return this.fail("expected ')'");
    this.at += 1;
    return undefined;
  }

  private comparison(): FilterError | undefined {
    const field = this.peek();
    if (field?.kind !== 'word' || kKeywords.has(field.text.toLowerCase())) return this.fail('expected a field name');
    if (this.fields.size > 0 && !this.fields.has(field.text)) return this.fail(`unknown field '${field.text}'`);
    this.at += 1;
    if (isKeyword(this.peek(), 'not') && isKeyword(this.peek(1), 'in')) {
      this.at += 2;
      return this.list();
    }
    if (isKeyword(this.peek(), 'in')) {
      this.at += 1;
      return this.list();
    }
    if (this.peek()?.kind !== 'operator') return this.fail(`expected an operator after ${field.text}`);
    this.at += 1;
    return this.value();
  }

  private value(): FilterError | undefined {
    const kind = this.peek()?.kind;
    if (kind !== 'word' && kind !== 'quoted') return this.fail('expected a value');
    this.at += 1;
    return undefined;
  }

  private list(): FilterError | undefined {
    if (this.peek()?.kind !== 'open') return this.value();  // a CIDR
    do {
      this.at += 1;
      const error = this.value();
      if (error) return error;
    } while (this.peek()?.kind === 'comma');
    if (this.peek()?.kind !== 'close') return this.fail("expected ',' or ')'");
    this.at += 1;
    return undefined;
  }
}

export function checkFilter(text: string, fields: Iterable<string>): FilterError | undefined {
  const { tokens, error } = tokenize(text);
  return error ?? new Checker(tokens, new Set(fields), text.length).check();
}

function describe(text: string, tokens: readonly Token[]): Conjunct {
  const first = tokens[0] as Token;
  const last = tokens[tokens.length - 1] as Token;
  const whole: Conjunct = { text: text.slice(first.start, last.end), start: first.start, end: last.end, negated: false };
  const negated = isKeyword(first, 'not');
  const rest = negated ? tokens.slice(1) : tokens;
  const [field, operator, ...value] = rest;
  const lone = rest.every((t, i) => i === 0 || (!isKeyword(t, 'and') && !isKeyword(t, 'or')));
  if (!lone || field?.kind !== 'word' || operator === undefined || value.length === 0) return { ...whole, negated };
  const notIn = isKeyword(operator, 'not');
  const valueTokens = notIn ? value.slice(1) : value;
  const head = valueTokens[0];
  if (head === undefined) return { ...whole, negated };
  return {
    ...whole,
    negated,
    field: field.text,
    operator: notIn ? 'not in' : operator.text.toLowerCase(),
    value: valueTokens.length === 1 ? head.value : text.slice(head.start, last.end),
  };
}

// The parts of the outermost "and". An outermost "or" makes the whole text one part. Broken text: undefined.
export function conjuncts(text: string): Conjunct[] | undefined {
  const { tokens, error } = tokenize(text);
  if (error || new Checker(tokens, new Set(), text.length).check()) return undefined;
  if (tokens.length === 0) return [];
  const parts: Token[][] = [[]];
  let depth = 0;
  for (const token of tokens) {
    if (token.kind === 'open') depth += 1;
    if (token.kind === 'close') depth -= 1;
    if (depth === 0 && isKeyword(token, 'or')) return [describe(text, tokens)];
    if (depth === 0 && isKeyword(token, 'and')) parts.push([]);
    else parts[parts.length - 1]?.push(token);
  }
  return parts.map((part) => describe(text, part));
}
