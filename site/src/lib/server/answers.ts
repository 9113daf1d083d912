import { Problem } from '@trainyard/plugin-sdk';
import { error } from '@sveltejs/kit';
import { shownProblem, type ShownProblem } from '#lib/problem.ts';

export type Answer<T> =
  { readonly ok: true; readonly value: T } | { readonly ok: false; readonly problem: ShownProblem };

function shown(problem: Problem): ShownProblem {
  const instance = problem.info.extra?.['instance'];
  return shownProblem(problem.toDocument(typeof instance === 'string' ? instance : undefined));
}

/** For parts of a page and for actions: the hub's problem as a value. */
export async function answer<T>(call: Promise<T>): Promise<Answer<T>> {
  try {
    return { ok: true, value: await call };
  } catch (cause) {
    if (cause instanceof Problem) return { ok: false, problem: shown(cause) };
    throw cause;
  }
}

/** For what a page cannot do without: a problem becomes the error page with the hub's words. */
export async function need<T>(call: Promise<T>): Promise<T> {
  const result = await answer(call);
  if (result.ok) return result.value;
  error(result.problem.status, { message: result.problem.title, problem: result.problem });
}
