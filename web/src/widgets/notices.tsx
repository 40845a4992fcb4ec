// Small marks that say an answer may be incomplete, and why.
import { useMemo } from 'preact/hooks';
import { showView, useStore } from '../data/store';
import { statusNotices, type Notice } from '../domain/notices';
import { visible } from '../domain/text';

export function Notices({ extra }: { extra: readonly Notice[] }) {
  const status = useStore((s) => s.status);
  const notices = useMemo(() => statusNotices(status), [status]);
  return (
    <>
      {extra.map((notice) => <span key={notice.id} class="notice" data-state="partial" title={visible(notice.detail)}>{visible(notice.text)}</span>)}
      {notices.map((notice) => (
        <button key={notice.id} type="button" class="notice" data-state="partial" title={visible(notice.detail)} onClick={() => showView('status')}>{visible(notice.text)}</button>
      ))}
    </>
  );
}
