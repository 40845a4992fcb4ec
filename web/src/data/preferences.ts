// What this browser remembers between visits. A browser may forbid storage; then nothing is remembered.
const kPrefix = 'weir.';

export function readSaved(name: string): string | null {
  try {
    return localStorage.getItem(kPrefix + name);
  } catch {
    return null;
  }
}

export function save(name: string, value: string): void {
  try {
    if (value === '') localStorage.removeItem(kPrefix + name);
    else localStorage.setItem(kPrefix + name, value);
  } catch {
    // Forbidden or full: the choice lasts as long as the page.
  }
}
