import { isProblemCode, PROBLEMS } from '@trainyard/plugin-sdk';
import { error } from '@sveltejs/kit';
import type { PageServerLoad } from './$types';

export const load: PageServerLoad = ({ params }) => {
  if (!isProblemCode(params.code)) error(404);
  const [status, title] = PROBLEMS[params.code];
  return {
    code: params.code,
    status,
    title,
    all: Object.entries(PROBLEMS).map(([code, [number, text]]) => ({ code, status: number, title: text })),
  };
};
