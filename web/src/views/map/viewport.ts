// Zoom and pan of the map. Moves only attributes, never renders: a frame costs what the browser needs to paint.
import type { Box } from '../../domain/layout';

export interface View {
  x: number;
  y: number;
  scale: number;
}

const kLeast = 0.08;
const kMost = 3;
const kFarBelow = 0.5;

export class Viewport {
  private view: View = { x: 0, y: 0, scale: 1 };
  private frame = 0;
  touched = false;  // the reader moved it: no automatic fit any more

  constructor(private readonly svg: SVGSVGElement, private readonly scene: SVGGElement) {
    svg.addEventListener('wheel', this.onWheel, { passive: false });
  }

  destroy(): void {
    this.svg.removeEventListener('wheel', this.onWheel);
    cancelAnimationFrame(this.frame);
  }

  scale(): number {
    return this.view.scale;
  }

  fit(bounds: Box): void {
    const { clientWidth: width, clientHeight: height } = this.svg;
    if (bounds.width === 0 || width === 0) return;
    const margin = 48;
    const scale = Math.min(1.15, Math.max(kLeast, Math.min((width - 2 * margin) / bounds.width, (height - 2 * margin) / bounds.height)));
    this.touched = false;
    this.show({
      scale, x: (width - bounds.width * scale) / 2 - bounds.x * scale, y: (height - bounds.height * scale) / 2 - bounds.y * scale,
    });
  }

  pan(dx: number, dy: number): void {
    this.touched = true;
    this.show({ ...this.view, x: this.view.x + dx, y: this.view.y + dy });
  }

  zoom(factor: number, at?: { x: number; y: number }): void {
    const centre = at ?? { x: this.svg.clientWidth / 2, y: this.svg.clientHeight / 2 };
    const scale = Math.min(kMost, Math.max(kLeast, this.view.scale * factor));
    const ratio = scale / this.view.scale;
    this.touched = true;
    this.show({ scale, x: centre.x - (centre.x - this.view.x) * ratio, y: centre.y - (centre.y - this.view.y) * ratio });
  }

  // Brings a box into sight with as little movement as possible.
  reveal(box: Box): void {
    const { x, y, scale } = this.view;
    const [left, top] = [box.x * scale + x, box.y * scale + y];
    const [right, bottom] = [left + box.width * scale, top + box.height * scale];
    const margin = 30;
    const dx = left < margin ? margin - left : Math.min(0, this.svg.clientWidth - margin - right);
    const dy = top < margin ? margin - top : Math.min(0, this.svg.clientHeight - margin - bottom);
    if (dx !== 0 || dy !== 0) this.show({ ...this.view, x: x + dx, y: y + dy });
  }

  private show(view: View): void {
    this.view = view;
    if (this.frame !== 0) return;
    this.frame = requestAnimationFrame(() => {
      this.frame = 0;
      const { x, y, scale } = this.view;
      this.scene.setAttribute('transform', `translate(${x.toFixed(1)} ${y.toFixed(1)}) scale(${scale.toFixed(4)})`);
      this.scene.dataset['zoom'] = scale < kFarBelow ? 'far' : 'near';
    });
  }

  private readonly onWheel = (event: WheelEvent): void => {
    event.preventDefault();
    const box = this.svg.getBoundingClientRect();
    // Touchpads pinch with ctrlKey and small deltas; wheels come in steps of about 100.
    const speed = event.ctrlKey ? 0.01 : 0.0016;
    this.zoom(Math.exp(-event.deltaY * speed), { x: event.clientX - box.left, y: event.clientY - box.top });
  };
}
