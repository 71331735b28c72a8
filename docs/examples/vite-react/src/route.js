import { useSyncExternalStore } from "react";

const subscribe = (changed) => {
  window.addEventListener("popstate", changed);
  return () => window.removeEventListener("popstate", changed);
};

/** The path of the page that is shown. */
export const usePath = () => useSyncExternalStore(subscribe, () => window.location.pathname);

/** Goes to another page of the application without loading anything. */
export const go = (event) => {
  event.preventDefault();
  window.history.pushState(null, "", event.currentTarget.href);
  window.dispatchEvent(new PopStateEvent("popstate"));
};
