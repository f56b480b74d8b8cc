// Tells the site which sponsors were seen: half of their place in view for a second, with the page in front.
(() => {
  "use strict";
  if (!("IntersectionObserver" in window) || !navigator.sendBeacon) return;
  const open = new Set(document.querySelectorAll("[data-token]"));
  const inView = new Set();
  const timers = new Map();
  const tell = (place) => {
    open.delete(place);
    observer.unobserve(place);
    navigator.sendBeacon("/b", place.dataset.token);
  };
  const update = () => {
    for (const place of open) {
      if (inView.has(place) && !document.hidden) {
        if (!timers.has(place)) timers.set(place, setTimeout(tell, {{ delay_ms }}, place));
      } else {
        clearTimeout(timers.get(place));
        timers.delete(place);
      }
    }
  };
  const observer = new IntersectionObserver((entries) => {
    for (const { target, intersectionRatio } of entries) {
      if (intersectionRatio >= 0.5) inView.add(target);
      else inView.delete(target);
    }
    update();
  }, { threshold: [0, 0.5] });
  document.addEventListener("visibilitychange", update);
  open.forEach((place) => observer.observe(place));
})();
