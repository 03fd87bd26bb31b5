import type { Problem } from "../problem.ts";
import { type Frame, Layout } from "./layout.tsx";

const TITLES = new Map<number, string>([
  [404, "There is no such thing here"],
  [409, "That cannot be done now"],
  [503, "The queue cannot say at the moment"],
]);

/** What is wrong, and what to do about it. */
export function ProblemPage({ frame, problem }: { frame: Frame; problem: Problem }) {
  const { status, code, detail, hint } = problem;
  return (
    <Layout frame={frame} title={`${code} · ccl-queue`}>
      <section class="panel problem">
        <p class="code">
          {status} <code>{code}</code>
        </p>
        <h1>{TITLES.get(status) ?? "Something is wrong"}</h1>
        <p>
          <bdi>{detail}</bdi>
        </p>
        {hint !== null && (
          <p class="hint">
            <bdi>{hint}</bdi>
          </p>
        )}
        <p>
          <a href="/">Back to the overview</a>
        </p>
      </section>
    </Layout>
  );
}
