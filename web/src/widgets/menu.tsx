// A button that opens a panel under itself. Closes on Escape, on a click elsewhere and, for items, on choice.
import type { ComponentChildren } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';

export interface MenuProps {
  label: ComponentChildren;
  title?: string;
  class?: string;
  panelClass?: string;
  alignRight?: boolean;
  children: (close: () => void) => ComponentChildren;
}

export function Menu(props: MenuProps) {
  const [open, setOpen] = useState(false);
  const anchor = useRef<HTMLSpanElement>(null);
  const button = useRef<HTMLButtonElement>(null);
  const close = () => setOpen(false);

  useEffect(() => {
    if (!open) return undefined;
    const outside = (event: PointerEvent) => {
      if (!anchor.current?.contains(event.target as Node)) close();
    };
    const escape = (event: KeyboardEvent) => {
      if (event.key !== 'Escape') return;
      event.stopPropagation();
      close();
      button.current?.focus();
    };
    document.addEventListener('pointerdown', outside, true);
    document.addEventListener('keydown', escape, true);
    return () => {
      document.removeEventListener('pointerdown', outside, true);
      document.removeEventListener('keydown', escape, true);
    };
  }, [open]);

  return (
    <span class="menu-anchor" ref={anchor}>
      <button ref={button} type="button" class={`button ${props.class ?? ''}`} title={props.title} aria-expanded={open} onClick={() => setOpen(!open)}>
        {props.label}
      </button>
      {open && <div class={`menu scrollable ${props.panelClass ?? ''} ${props.alignRight ? 'right' : ''}`}>{props.children(close)}</div>}
    </span>
  );
}

export function MenuChoice(props: { checked: boolean; onChoose: () => void; children: ComponentChildren }) {
  return (
    <button type="button" class="menu-item" role="menuitemradio" aria-checked={props.checked} onClick={props.onChoose}>
      {props.children}
    </button>
  );
}
