// Tabs, as the ARIA practices have them: arrows go from one to the next, and one of them is in the order of focus.

/** Start the tabs of a list; `onTab` is called with the name of the one that is turned to. */
export function startTabs(list, onTab) {
  const tabs = [...list.querySelectorAll("[role=tab]")];

  function turnTo(chosen) {
    for (const tab of tabs) {
      const isChosen = tab === chosen;
      tab.setAttribute("aria-selected", String(isChosen));
      tab.tabIndex = isChosen ? 0 : -1;
      document.getElementById(tab.getAttribute("aria-controls")).hidden = !isChosen;
    }
    onTab(chosen.dataset.tab);
  }

  for (const tab of tabs) tab.addEventListener("click", () => turnTo(tab));
  list.addEventListener("keydown", (event) => {
    const place = tabs.indexOf(document.activeElement);
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (place < 0 || step === undefined) return;
    event.preventDefault();
    const next = tabs[(place + step + tabs.length) % tabs.length];
    next.focus();
    turnTo(next);
  });
}
