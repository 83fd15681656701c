/** Opens folded parts of a page for a link into them, and for paper. */

function openTarget(): void {
  let part = document.getElementById(decodeURIComponent(location.hash.slice(1)))?.parentElement;
  for (; part; part = part.parentElement) if (part instanceof HTMLDetailsElement) part.open = true;
}

addEventListener('hashchange', openTarget);
openTarget();

addEventListener('beforeprint', () => {
  for (const part of document.querySelectorAll('details:not([open])'))
    part.setAttribute('open', '');
});
