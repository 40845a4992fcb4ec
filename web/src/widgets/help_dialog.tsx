// "?": what the keyboard does, and how to read what is on screen.
import { useEffect, useRef } from 'preact/hooks';
import { Icon } from './icons';

const kKeys: readonly [string[], string][] = [
  [['/'], 'Type a filter'],
  [['g', 'm'], 'Map'],
  [['g', 'f'], 'Flows'],
  [['g', 'h'], 'Health'],
  [['g', 'i'], 'Inference'],
  [['g', 'n'], 'Nodes'],
  [['g', 's'], 'Status'],
  [['j', 'k'], 'Health, Inference, Nodes: next and previous'],
  [['l'], 'Live on or off'],
  [['p'], 'Map: only problems'],
  [['r'], 'Refresh now'],
  [['Esc'], 'Close the drawer or dialog'],
  [['Tab'], 'Map: into the picture; arrows move between things, Enter opens'],
  [['Shift', 'Enter'], 'Map: step into the thing, as a double click does'],
  [['u'], 'Map: step out again'],
  [['+', '−', '0'], 'Map: zoom in, out, fit'],
  [['?'], 'This page'],
];

export function HelpDialog({ onClose }: { onClose: () => void }) {
  const close = useRef<HTMLButtonElement>(null);
  useEffect(() => close.current?.focus(), []);
  return (
    <div class="overlay" onPointerDown={(e) => { if (e.target === e.currentTarget) onClose(); }}>
      <div class="dialog scrollable" role="dialog" aria-modal="true" aria-label="Keyboard">
        <h2>Keyboard <button ref={close} type="button" class="button plain icon" aria-label="Close" onClick={onClose}><Icon name="close" /></button></h2>
        <dl class="keys">
          {kKeys.map(([keys, text]) => [
            <dt key={text}>{keys.map((key) => <kbd key={key}>{key}</kbd>)}</dt>,
            <dd key={`${text} text`}>{text}</dd>,
          ])}
        </dl>
        <p class="muted">A dash (–) means unknown: nothing measured it. It is never a zero. Client is the side that connected.</p>
      </div>
    </div>
  );
}
