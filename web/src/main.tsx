import { render } from 'preact';
import { App } from './app';
import { applyTheme, followBackButton, store } from './data/store';
import './styles/tokens.css';
import './styles/base.css';
import './styles/shell.css';
import './styles/map.css';
import './styles/flows.css';
import './styles/status.css';
import './styles/findings.css';

applyTheme(store.get().theme);
followBackButton();
const root = document.getElementById('app');
if (root) render(<App />, root);
