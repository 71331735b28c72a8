import { useActionState } from "react";

/** A file in the server's uploads directory for each entry; nobody can sign over another: If-None-Match. */
async function send(_, form) {
  const name = `entry-${Date.now()}.txt`;
  const response = await fetch(`/upload/${name}`, {
    method: "PUT",
    headers: { "Content-Type": "text/plain; charset=utf-8", "If-None-Match": "*" },
    body: form.get("text"),
  }).catch((error) => ({ ok: false, status: error.message }));
  return response.ok ? `Thank you. It is ${name}.` : `It was not taken: ${response.status}`;
}

export function Sign() {
  const [said, submit, busy] = useActionState(send, "");
  return (
    <form action={submit}>
      <label>
        A line for the book
        <input name="text" required maxLength={200} autoComplete="off" />
      </label>
      <button disabled={busy}>Sign</button>
      <output aria-live="polite">{said}</output>
    </form>
  );
}
