import { Sign } from "./sign.jsx";
import { Who } from "./who.jsx";
import { go, usePath } from "./route.js";

const pages = { "/": ["Sign", Sign], "/who": ["Who am I?", Who] };

export function App() {
  const path = usePath();
  const [title, Page] = pages[path] ?? ["Not found", () => <p>There is no such page.</p>];
  return (
    <>
      <header>
        <h1>Visitors’ book</h1>
        <nav aria-label="Pages">
          {Object.entries(pages).map(([to, [name]]) => (
            <a key={to} href={to} onClick={go} aria-current={to === path ? "page" : undefined}>
              {name}
            </a>
          ))}
        </nav>
      </header>
      <main>
        <h2>{title}</h2>
        <Page />
      </main>
    </>
  );
}
