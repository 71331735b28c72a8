import { useEffect, useState } from "react";

/** What the server knows about this connection: GET /api/get. */
export function Who() {
  const [answer, setAnswer] = useState({ state: "asking" });
  useEffect(() => {
    const abort = new AbortController();
    fetch("/api/get", { signal: abort.signal })
      .then((response) => (response.ok ? response.json() : Promise.reject(new Error(`the server said ${response.status}`))))
      .then((value) => setAnswer({ state: "known", value }))
      .catch((error) => abort.signal.aborted || setAnswer({ state: "failed", error }));
    return () => abort.abort();
  }, []);

  if (answer.state === "asking") return <p aria-busy="true">Asking…</p>;
  if (answer.state === "failed") return <p role="alert">{answer.error.message}</p>;
  return (
    <dl>
      <dt>You are</dt>
      <dd>{answer.value.client.subject}</dd>
      <dt>Spoken</dt>
      <dd>
        {answer.value.tls.protocol}, {answer.value.tls.cipher}
      </dd>
    </dl>
  );
}
