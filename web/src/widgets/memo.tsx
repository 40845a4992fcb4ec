// Renders again only when a prop changed (shallow comparison); preact/compat has the same in 4 KB more.
import { Component, type ComponentType } from 'preact';

export function memo<P extends object>(Inner: ComponentType<P>): ComponentType<P> {
  return class Memo extends Component<P> {
    override shouldComponentUpdate(next: Readonly<P>): boolean {
      const [old, fresh] = [this.props as Record<string, unknown>, next as Record<string, unknown>];
      return Object.keys({ ...old, ...fresh }).some((key) => !Object.is(old[key], fresh[key]));
    }

    override render() {
      return <Inner {...(this.props as P)} />;
    }
  };
}
