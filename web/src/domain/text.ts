// Names come from processes and containers, i.e. from anybody. They are shown as text only; what would be
// invisible or would reorder its surroundings is replaced by something visible.

// C0, DEL and C1 controls; zero-width and bidirectional controls (Unicode TR36 §2.10, "Trojan source").
const kInvisible = /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g;

// Escapes as in source code: every font has them, and engineers read them.
function picture(character: string): string {
  const code = character.charCodeAt(0);
  const digits = code.toString(16).toUpperCase();
  return code < 0x100 ? `\\x${digits.padStart(2, '0')}` : `\\u${digits.padStart(4, '0')}`;
}

export function visible(text: string): string {
  return text.replace(kInvisible, picture);
}

// Keeps both ends: the tail of a long name often tells siblings apart.
export function shorten(text: string, maximum: number): string {
  const characters = [...text];
  if (characters.length <= maximum) return text;
  const tail = Math.floor((maximum - 1) / 3);
  return `${characters.slice(0, maximum - 1 - tail).join('')}…${characters.slice(characters.length - tail).join('')}`;
}

// Container runtimes show 12 hex digits; so do we.
export function shortContainer(id: string): string {
  return /^[0-9a-f]{13,}$/.test(id) ? id.slice(0, 12) : id;
}

export function plural(count: number, one: string, many = `${one}s`): string {
  return `${count.toLocaleString('en')} ${count === 1 ? one : many}`;
}
