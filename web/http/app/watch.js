// Covers the page while its server does not answer, and uncovers it when the server does again. For any page of this server:
//   <script src="/keyward/watch.js" defer></script>
// The page stays as it is beneath: nothing is loaded again, and what was typed into it is still there.
'use strict';

(() => {
  const PERIOD_MS = 250; // between two questions
  const AGAIN_MS = 50; // before the first one that had no answer is asked again
  const PATIENCE_MS = 2500; // for one answer; that a connection is lost is noticed at once
  const SLOWEST_MS = 3000; // between two questions while nobody answers
  const LONG_MS = 30000;

  const WORDS = {
    title: 'One moment, please',
    what: 'This screen has lost touch with the service behind it.',
    system: 'It is being reconnected. You do not have to do anything, and this page comes back by itself.',
    long: 'This is taking longer than usual. If you are in a hurry, please tell somebody who looks after this screen.',
  };

  let cover = null; // the dialog, while it is shown
  let lostAt = 0;
  let pause = PERIOD_MS;
  let failures = 0;
  let wake = () => {};

  function element(name, properties, ...children) {
    const node = Object.assign(document.createElement(name), properties);
    node.append(...children);
    return node;
  }

  function makeCover() {
    const parts = [
      element('p', { className: 'keyward-cover-mark' }),
      element('h1', { id: 'keyward-cover-title', textContent: WORDS.title }),
      element('p', { id: 'keyward-cover-what', textContent: WORDS.what }),
      element('p', { textContent: WORDS.system }),
      element('p', { className: 'keyward-cover-long' }),
    ];
    parts[0].setAttribute('aria-hidden', 'true');
    parts[1].tabIndex = -1;
    parts[4].setAttribute('role', 'status');
    const dialog = element('dialog', { id: 'keyward-cover' }, element('div', {}, ...parts));
    dialog.setAttribute('role', 'alertdialog');
    dialog.setAttribute('aria-labelledby', 'keyward-cover-title');
    dialog.setAttribute('aria-describedby', 'keyward-cover-what');
    dialog.setAttribute('closedby', 'none');
    dialog.addEventListener('keydown', (event) => { if (event.key === 'Escape') event.preventDefault(); });
    dialog.addEventListener('cancel', (event) => event.preventDefault());
    dialog.addEventListener('close', () => { if (cover === dialog) dialog.showModal(); });
    return dialog;
  }

  // showModal makes the page beneath inert, and gives the focus back to where it was when it is closed.
  function lost() {
    if (cover) {
      const long = cover.querySelector('.keyward-cover-long');
      if (performance.now() - lostAt > LONG_MS && long.textContent === '') long.textContent = WORDS.long;
      return;
    }
    lostAt = performance.now();
    cover = makeCover();
    document.body.append(cover);
    cover.showModal();
    cover.querySelector('h1').focus();
    document.dispatchEvent(new CustomEvent('keyward-lost'));
  }

  function found() {
    if (!cover) return;
    const dialog = cover;
    const away = Math.round(performance.now() - lostAt);
    cover = null;
    dialog.close();
    dialog.remove();
    document.dispatchEvent(new CustomEvent('keyward-found', { detail: away }));
    // So that the log tells for how long people have seen the cover.
    fetch('/keyward/back/' + away, { cache: 'no-store' }).catch(() => {});
  }

  // Any answer will do but those of somebody who stands in for a server that is away.
  async function ask() {
    try {
      const signal = AbortSignal.timeout(PATIENCE_MS);
      const response = await fetch('/keyward/alive', { cache: 'no-store', redirect: 'error', signal });
      return response.status < 500;
    } catch {
      return false;
    }
  }

  // One failure alone is no news: a page that is being left, and a connection that meets new keys, has one too.
  function judge(there) {
    failures = there ? 0 : failures + 1;
    if (there) found();
    else if (failures > 1) lost();
    if (there) pause = PERIOD_MS;
    else pause = failures === 1 ? AGAIN_MS : Math.min(SLOWEST_MS, Math.max(PERIOD_MS, pause * 1.3));
  }

  async function watch() {
    for (;;) {
      judge(await ask());
      await new Promise((resolve) => {
        wake = resolve;
        setTimeout(resolve, pause);
      });
    }
  }

  // A screen that is looked at again, or a network that is there again, is a reason to ask now.
  document.addEventListener('visibilitychange', () => wake());
  window.addEventListener('online', () => wake());

  // It has to be here before it is needed.
  document.head.append(element('link', { rel: 'stylesheet', href: '/keyward/watch.css' }));
  watch();
})();
