// Small marks that say an answer may be incomplete, and why.
import { useMemo } from 'preact/hooks';
import { showView, useStore } from '../data/store';
import { statusNotices, type Notice } from '../domain/notices';
import { visible } from '../domain/text';

// `compact`: where there is little room, the state of Weir itself is one mark.
export function Notices({ extra, compact = false }: { extra: readonly Notice[]; compact?: boolean }) {
  const status = useStore((s) => s.status);
  const notices = useMemo(() => statusNotices(status), [status]);
  return (
    <>
      {extra.map((notice) => <span key={notice.id} class="notice" data-state="partial" title={visible(notice.detail)}>{visible(notice.text)}</span>)}
      {compact && notices.length > 1 && (
        <button type="button" class="notice" data-state="partial" title={notices.map((notice) => visible(`${notice.text}. ${notice.detail}`)).join('\n')} onClick={() => showView('status')}>{notices.length} notices</button>
      )}
      {!(compact && notices.length > 1) && notices.map((notice) => (
        <button key={notice.id} type="button" class="notice" data-state="partial" title={visible(notice.detail)} onClick={() => showView('status')}>{visible(notice.text)}</button>
      ))}
    </>
  );
}
